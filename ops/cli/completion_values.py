"""Prints the values that fit at the cursor of a command line, for shell completion.

Keys of accounts and agents come from the running daemon, ids of jobs, sessions, messages, devices
and people from its gateway, profiles from the disk. A person waits for it at each Tab, so it
imports nothing heavy (``quick_link``). On any error it prints nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

_OPTIONS = {"--state-dir": "state_dir", "--config": "config_path", "--profile": "profile"}
KIND = "@"  # before the word that says what is wanted; without one it is keys
# What a filter of a status may ask for. ``ops.output.listing`` has the fields, too.
FILTER_FIELDS = (
    "account", "channel", "phase", "cause", "health", "agent", "name", "enabled", "held",
)  # fmt: skip
PHASES = ("stopped", "starting", "running", "stopping", "backoff", "failed")
_YES_OR_NO = ("yes", "no")

Rows = Iterable[Mapping[str, Any]]


def main(args: Sequence[str]) -> None:
    """Print the values, one per line.

    ``args`` are ``@KIND``, the word at the cursor and the words before it. Without a kind they are
    only the words, and the values are keys of accounts and agents.
    """
    try:
        for value in values(args):
            if value.isprintable():  # a line of its own would be another value
                sys.stdout.write(f"{value}\n")
    except Exception:  # noqa: BLE001, S110 - a completion must print no errors
        pass


def values(args: Sequence[str]) -> Iterator[str]:
    """Yield the values that fit at the cursor. Raises any exception on failure."""
    if not args or not args[0].startswith(KIND):
        yield from keys(args)
        return
    kind, current, words = args[0].removeprefix(KIND), args[1], args[2:]
    if any(word.partition("=")[0] == "--url" for word in words):
        return  # of another host, and perhaps with a secret that is not to be asked for
    if kind == "profiles":
        yield from profiles()
    elif kind == "filter":
        yield from filters(current, words)
    elif kind in KEYS:
        yield from KEYS[kind](keys(words))
    elif kind == "people":
        yield from people(words)
    else:
        method, params, read = LISTS[kind]
        yield from dict.fromkeys(read(ask_gateway(words, method, params)))


def _agents(found: Iterable[str]) -> Iterator[str]:
    begin = "agent:"
    return (key.removeprefix(begin) for key in found if key.startswith(begin))


# Which of the keys are meant, and how they are typed there.
KEYS: dict[str, Callable[[Iterable[str]], Iterable[str]]] = {
    "keys": list,
    "local": lambda found: [key for key in found if key.startswith("local:")],
    "agents": _agents,
    "logs": lambda found: [*found, "supervisor", "gateway"],
}


def keys(words: Sequence[str]) -> Iterator[str]:
    """Yield the keys of accounts and agents."""
    for row in rows_of_status(words):
        yield row["account"]


def rows_of_status(words: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the rows of the accounts and agents of the daemon that a command line means."""
    from ops.cli.quick_link import supervisor_link

    with supervisor_link(socket_path(words)) as link:
        status = link.ask("supervisor.status", {})
    return [row for name in ("accounts", "agents") for row in status.get(name, ())]


def ask_gateway(words: Sequence[str], method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of the gateway of the daemon that a command line means."""
    from ops.cli.quick_link import gateway_link, supervisor_link

    with supervisor_link(socket_path(words)) as link:
        access = link.ask("gateway.access", {})
    with gateway_link(access) as link:
        return link.ask(method, params)


def profiles() -> list[str]:
    """Return the names of the profiles that have a state directory or a configuration."""
    from platformdirs import user_config_path, user_state_path

    begin = "trunkline-"
    found = {"dev"}
    for place in (user_state_path("x").parent, user_config_path("x").parent):
        if place.is_dir():
            names = (each.name for each in place.iterdir() if each.is_dir())
            found |= {name.removeprefix(begin) for name in names if name.startswith(begin)}
    return sorted(found)


def filters(current: str, words: Sequence[str]) -> Iterator[str]:
    """Yield possible filters; ``current`` may be the last of several, separated by commas."""
    before, comma, last = current.rpartition(",")
    begin = f"{before}{comma}"
    field, equals, _ = last.partition("=")
    if not equals:
        yield from (f"{begin}{each}=" for each in FILTER_FIELDS)
        return
    name = field.removesuffix("!")
    if name == "phase":
        found: Iterable[str] = PHASES
    elif name in ("enabled", "held"):
        found = _YES_OR_NO
    elif name in FILTER_FIELDS:
        found = sorted({str(row[name]) for row in rows_of_status(words) if row.get(name)})
    else:
        return
    yield from (f"{begin}{field}={each}" for each in found)


def people(words: Sequence[str]) -> Iterator[str]:
    """Yield accounts, or after an account its people: those who wait or those who are known.

    Codes are never listed, because a code proves who a person is.
    """
    accounts = list(keys(words))
    chosen = next((word for word in words if word in accounts), None)
    if chosen is None:
        yield from accounts
        return
    answer = ask_gateway(words, "channels.pairing.list", {})
    waiting = [
        row["senderId"]
        for row in answer["requests"]
        if f"{row['channel']}:{row['accountId']}" == chosen
    ]
    known = [row["senderId"] for row in answer["people"] if row["account"] == chosen]
    verb = words[words.index("pairing") + 1] if "pairing" in words[:-1] else ""
    wanted = {"dismiss": waiting, "unblock": known}.get(verb, [*waiting, *known])
    yield from dict.fromkeys(wanted)


def _each(name: str, field: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    """Return a function that reads a field of each row in the list ``name`` of an answer."""

    def read(answer: Mapping[str, Any]) -> Iterator[str]:
        rows: Rows = answer.get(name, ())
        yield from (str(row[field]) for row in rows if row.get(field))

    return read


# A kind of ids: which method lists them, with which params, and where they stand in its answer.
LISTS: dict[str, tuple[str, dict[str, Any], Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    "jobs": ("cron.list", {"includeDisabled": True, "limit": 200}, _each("jobs", "id")),
    "sessions": ("sessions.list", {"limit": 200}, _each("sessions", "key")),
    "letters": ("deadletters.list", {"limit": 200}, _each("letters", "id")),
    "devices": ("device.pair.list", {}, _each("paired", "deviceId")),
    "device-requests": ("device.pair.list", {}, _each("pending", "requestId")),
    "nodes": ("node.list", {}, _each("nodes", "nodeId")),
    "node-requests": ("node.pair.list", {}, _each("pending", "requestId")),
}


def socket_path(words: Sequence[str]) -> str:
    """Return the socket of the supervisor that a command line means."""
    from pathlib import Path

    from runtime.config.places import Flags, resolve

    given: dict[str, str] = {}
    for word, after in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if name in _OPTIONS:
            given[_OPTIONS[name]] = value if equals else after
    flags = Flags(
        state_dir=Path(given["state_dir"]) if "state_dir" in given else None,
        config_path=Path(given["config_path"]) if "config_path" in given else None,
        profile=given.get("profile"),
        dev="--dev" in words,
    )
    return str(resolve(os.environ, flags).run_dir / "cli.sock")

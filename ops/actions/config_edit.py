"""Adds and removes accounts and agents in the configuration file, and reloads a running daemon."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, is_agent
from ipc.media import account_directory
from ops.connect.places import places_of
from ops.connect.selection import split
from ops.connect.supervisor import connected_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError, UsageFailure
from ops.output.commands import for_runtime
from ops.output.show import show_json
from ops.output.text import clean
from runtime.config.accounts import AccountSpec
from runtime.config.places import Places
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.process_setup import write_error

SECRETS = "secrets"  # beside the configuration: where a setup writes what was typed
CHANGES = ("added", "changed", "removed")  # the lists of accounts in the answer of a reload


def add_account(target: RuntimeTarget, key: str, fields: list[str], *, as_json: bool) -> None:
    """Add the account ``key`` with ``field=value`` pairs; write the file only if it stays valid."""
    from runtime.config.edit import accounts

    split(key)
    places = places_of(target)
    loaded = accounts.add_account(places.config_path, key, _pairs(fields))
    _report(places, key, "added", _reload_if_running(places), "", as_json)
    spec = loaded.accounts[key]
    _hint(key, _unconfigured_hint(spec), _secret_hint(spec), _ingress_hint(spec))


def remove_account(target: RuntimeTarget, key: str, *, as_json: bool) -> None:
    """Remove the account ``key`` and its hold; a running daemon stops it."""
    from runtime.config.edit import accounts

    split(key)
    _remove(target, key, accounts.remove_account, key, as_json=as_json)


def add_agent(
    target: RuntimeTarget, key: str, fields: list[str], *, default: bool, as_json: bool
) -> None:
    """Add the agent ``key`` with ``field=value`` pairs; ``default``: make it the default agent."""
    from runtime.config.edit import agents

    places = places_of(target)
    name = key.partition(":")[2]
    loaded = agents.add_agent(places.config_path, name, _pairs(fields), default=default)
    more = ", and answers by default" if default else ""
    _report(places, key, "added", _reload_if_running(places), more, as_json)
    _hint(key, _unconfigured_hint(loaded.agents[key]))


def remove_agent(target: RuntimeTarget, key: str, *, as_json: bool) -> None:
    """Remove the agent ``key`` and its hold; a running daemon stops it."""
    from runtime.config.edit import agents

    _remove(target, key, agents.remove_agent, key.partition(":")[2], as_json=as_json)


def _remove(
    target: RuntimeTarget,
    key: str,
    remove: Callable[[Path, str], object],
    name: str,
    *,
    as_json: bool,
) -> None:
    """Call ``remove`` to remove ``name`` from the file, and forget hold and failures of ``key``."""
    from runtime.supervisor.accounts.history import HISTORY, delete_from_file
    from runtime.supervisor.accounts.holds import HOLDS, Holds, read_holds

    places = places_of(target)
    path = places.state_dir / HOLDS
    held = key in read_holds(path)
    remove(places.config_path, name)
    reloaded = _reload_if_running(places)
    if reloaded is None:  # a daemon does it itself
        delete_from_file(places.state_dir / HISTORY, key)
    if held and reloaded is None:
        holds = Holds(path)
        holds.release_all([key])
        holds.write()
    _report(places, key, "removed", reloaded, " and its hold forgotten" if held else "", as_json)
    _hint(key, *(f"its secret stays in {path}: remove it yourself" for path in _left(places, key)))
    if stored := _stored(places, key):
        command = shlex.join(["rm", "-r", *map(str, stored)])
        _hint(
            key, f"what it has stored stays, for one of the same name; this removes it: {command}"
        )


def _left(places: Places, key: str) -> list[Path]:
    """Return the secret files that a setup wrote for ``key`` and that nothing refers to any more.

    They are kept: a person typed them and may have no other copy.
    """
    stem = f"{key.replace(':', '.')}."
    text = places.config_path.read_text()
    return [
        path
        for path in sorted((places.config_path.parent / SECRETS).glob(f"{stem}*"))
        if "." not in path.name.removeprefix(stem) and str(path) not in text
    ]


def _stored(places: Places, key: str) -> list[Path]:
    """Return where a removed account or agent has stored files, and its logs beside these."""
    directories = [places.storage_of(key), account_directory(places.state_dir, key)]
    found = [path for path in directories if path.is_dir() and any(path.iterdir())]
    return [*found, *sorted(places.log_dir.glob(f"{key}.log*"))] if found else []


def show_reload(target: RuntimeTarget, *, as_json: bool) -> None:
    """Reload the file in the daemon, and print what changed; exit 78 for an invalid file."""
    places = places_of(target)
    done = asyncio.run(_reload(places))
    if as_json:
        show_json(done)
        return
    touched = [f"{what}: {', '.join(done[what])}" for what in CHANGES if done.get(what)]
    print(clean(f"{places.config_path} is in force; gateway {done['gateway']}"))
    for line in [*touched, *(f"warning: {warning}" for warning in done.get("warnings", []))]:
        print(clean(line))


async def _reload(places: Places) -> Any:
    async with connected_supervisor(places) as client:
        try:
            return await client.call("config.reload", {})
        except RemoteError as error:
            if error.code != INVALID_REQUEST:
                raise
            raise OperatorError(error.message, ExitCode.CONFIGURATION) from None


def _hint(key: str, *hints: str | None) -> None:
    for hint in hints:
        if hint is not None:
            write_error(clean(f"trunkline: {key}: {hint}"))


def _unconfigured_hint(spec: WorkerSpec) -> str | None:
    """Return what a new account or agent lacks before it can start; ``None`` if nothing."""
    if not spec.enabled or spec.configured:
        return None
    return f"it does not start before {spec.place} is complete: {spec.reason}"


def _secret_hint(spec: AccountSpec) -> str | None:
    """Return what is wrong with the format of a secret that was typed; ``None`` if nothing."""
    return "; ".join(f"{name} {wrong}" for name, wrong in spec.secret_doubts.items()) or None


def _ingress_hint(spec: AccountSpec) -> str | None:
    """Return the URL at which a platform reaches a new account, or what is missing for that."""
    if "http" not in spec.manifest.can:
        return None
    if not spec.ingress:
        return "it gets no HTTP requests until ingress: true is set"
    if spec.ingress_url is None:
        return "gateway.publicUrl is not set; the address that platforms call begins with it"
    return f"platforms reach it below {spec.ingress_url}"


def _pairs(fields: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for field in fields:
        name, equals, value = field.partition("=")
        if not (name and equals):
            raise UsageFailure(f"{field!r} is not FIELD=VALUE")
        if name in pairs:
            raise UsageFailure(f"{name} is given twice")
        pairs[name] = value
    return pairs


def _reload_if_running(places: Places) -> Any:
    """Reload the file in a running daemon; return ``None`` without a daemon."""
    try:
        return asyncio.run(_reload(places))
    except OperatorError as error:
        if error.exit is not ExitCode.NOT_RUNNING:
            raise
        return None  # the file is what counts; the next start reads it


def _report(places: Places, key: str, what: str, reloaded: Any, more: str, as_json: bool) -> None:
    if as_json:
        word = "agent" if is_agent(key) else "account"
        show_json({word: key, what: True, "file": str(places.config_path), "reload": reloaded})
    else:
        when = "" if reloaded else for_runtime("; it counts from the next `trunkline up`")
        print(clean(f"{key} {what} in {places.config_path}{more}{when}"))
    from runtime.config.files import MOUNTED, is_mounted

    path = places.config_path
    if is_mounted(path):
        hint = f"{MOUNTED} and was written in place; the old text is in {path.name}.bak"
        write_error(clean(f"trunkline: {path}: {hint}"))

"""Keeps the table of the supervisor's methods for operators, and carries out requests.

Requests come from ``cli.sock`` and, over its session, from the gateway. A method is a function
with a struct for its params; it returns plain JSON data or raises ``RemoteError`` with the
protocol's codes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.websocket import explain
from ipc.frames.words import AGENT, INVALID_REQUEST, is_agent
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.history import CHANGES, History, change_of
from runtime.supervisor.parts import Parts

MAX_BY = 160  # characters
SHOWN_KEYS = 5  # accounts of a change that are named
P = TypeVar("P", bound=Params)
Function = Callable[..., Awaitable[Any]]  # (parts, params), and ``caller`` where it asks for it


class Caller(msgspec.Struct, frozen=True):
    """The caller of a request. ``by`` describes the person's device and client, for the history."""

    remote: bool
    by: str | None = None


HERE = Caller(remote=False)


class SupervisorMethod(msgspec.Struct, frozen=True):
    """One row of the table."""

    params: type[Params]
    function: Function
    asks_caller: bool
    changes: bool


METHODS: dict[str, SupervisorMethod] = {}


def method(
    name: str, params: type[Params], *, asks_caller: bool = False, changes: bool = False
) -> Callable[[Function], Function]:
    """Register a function in the table; with ``asks_caller`` it gets ``caller``.

    ``changes``: requests that were carried out are added to the history of changes.
    """

    def register(function: Function) -> Function:
        METHODS[name] = SupervisorMethod(params, function, asks_caller, changes)
        return function

    return register


async def dispatch(
    parts: Parts, name: str, raw: Any, *, remote: bool, by: str | None = None
) -> Any:
    """Carry out one request; raises ``RemoteError`` for errors of the caller.

    ``remote`` is ``True`` for every connection but ``cli.sock``. It depends on where the request
    arrived, never on its content: everything that a gateway passes on is remote. ``by`` describes
    the caller, as the gateway or the socket knows it.
    """
    if name not in METHODS:
        raise RemoteError(INVALID_REQUEST, f"unknown method: {name}")
    row = METHODS[name]
    params = convert(name, row.params, raw)
    caller = Caller(remote, None if by is None else shortened(by))
    if row.asks_caller:
        answer = await row.function(parts, params, caller=caller)
    else:
        answer = await row.function(parts, params)
    if row.changes:
        add_change(parts.history, describe_request(name, params, answer), caller.by)
    return answer


def describe_request(name: str, params: Params, answer: Any = None) -> str:
    """Describe a request for the history: its name, accounts and reason, and no more.

    The accounts are those of the params, or those that the ``answer`` says it has changed. A
    configuration contains secrets, and the answer to a login is one.
    """
    named = getattr(params, "accounts", None) or [getattr(params, "account", None)]
    words = _some([each for each in named if isinstance(each, str)])
    if isinstance(answer, dict):
        changed = ((verb, answer.get(verb)) for verb in ("added", "removed", "changed"))
        done = [
            f"{verb} {_some(keys)}" for verb, keys in changed if isinstance(keys, list) and keys
        ]
        words = words or ", ".join(done)
    reason = getattr(params, "reason", None)
    return f"{name}{f' {words}' if words else ''}{f': {reason}' if reason else ''}"


def _some(keys: list[str]) -> str:
    """List the first keys, and how many more there are."""
    shown = ", ".join(keys[:SHOWN_KEYS])
    more = len(keys) - SHOWN_KEYS
    return f"{shown} and {more} more" if more > 0 else shown


def add_change(history: History, text: str, by: str | None) -> None:
    """Add to the history what an operator has changed."""
    history.add(CHANGES, change_of(text, at=now_ms(), by=by))


def shortened(by: str) -> str:
    """Return the caller's description as one short printable line: devices choose their names."""
    text = "".join(each if each.isprintable() else " " for each in by)
    return text if len(text) <= MAX_BY else f"{text[: MAX_BY - 1]}…"


def convert(name: str, struct: type[P], raw: Any) -> P:
    """Convert the params of a request to their struct; raises ``RemoteError``."""
    try:
        return msgspec.convert(raw, struct)
    except msgspec.ValidationError as error:
        raise RemoteError(INVALID_REQUEST, f"invalid {name} params: {explain(error)}") from None


def find(workers: Mapping[str, Account], key: str) -> Account:
    """Return the account or agent ``key``; the error for an unknown one lists the known ones."""
    worker = workers.get(key)
    if worker is None:
        from runtime.config.wording import known_names  # late: only what is wrong needs it

        agent = is_agent(key)
        known = [each for each in workers if is_agent(each) is agent]
        what, listed_by = ("agent", "agents list") if agent else ("account", "channels list")
        names = known_names(key, known, listed_by)
        raise RemoteError(INVALID_REQUEST, f"unknown {what} {key!r}{names}")
    return worker


def select(workers: Mapping[str, Account], targets: list[str]) -> list[Account]:
    """Return the accounts that ``targets`` name, each once, in the order of ``targets``.

    A target is a key, the name of a channel, which means all its accounts, or ``*``. An agent is
    only named by its key. Raises ``RemoteError`` for one that names nothing.
    """
    chosen: dict[str, Account] = {}
    accounts = {key: each for key, each in workers.items() if not is_agent(key)}
    for target in targets:
        if target == "*":
            chosen |= accounts
        elif ":" in target:
            chosen[target] = find(workers, target)
        else:
            chosen |= _of_channel(accounts, target)
    return list(chosen.values())


def _of_channel(accounts: dict[str, Account], channel: str) -> dict[str, Account]:
    if channel == AGENT:
        text = "agents are not a channel: name each by its key, agent:ID (`trunkline agents list`)"
        raise RemoteError(INVALID_REQUEST, text)
    found = {key: each for key, each in accounts.items() if each.spec.channel == channel}
    if not found:
        known = sorted({each.spec.channel for each in accounts.values()}) or ["none"]
        raise RemoteError(
            INVALID_REQUEST,
            f"unknown channel {channel!r}; channels with accounts: {', '.join(known)}",
        )
    return found

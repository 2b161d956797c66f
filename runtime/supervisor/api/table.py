"""What may be asked of the supervisor, from ``cli.sock`` and, through the session, by the gateway.

One table: a method is a function with a struct for its params. Each answers with plain
JSON data or raises ``RemoteError`` with the protocol's codes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ipc import metrics
from ipc.errors import RemoteError
from ipc.frames.requests import (
    AccountParams,
    AccountsParams,
    Key,
    LinesParams,
    NoParams,
    Params,
    Reason,
)
from ipc.frames.websocket import explain
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, Phase
from runtime.supervisor import metrics as figures
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.explain import what_next, why
from runtime.supervisor.gateways.port import PortUnusable
from runtime.supervisor.lifecycle import Reset as ResetEvent
from runtime.supervisor.lifecycle import Restart, Start, Stop

if TYPE_CHECKING:
    from runtime.supervisor.gateways.managed import ManagedGateway
    from runtime.supervisor.supervisor import Supervisor

STOP_MARGIN = 3.0  # seconds beyond the stop grace for the kill and the reaping
GATEWAY_UP, GATEWAY_DOWN = 15.0, 10.0
HANDED_OFF = {"outcome": "handed-off"}


class TargetParams(AccountsParams):
    """Keys, bare channel names, or ``*``; ``wait``: answer once they have stopped."""

    reason: Reason | None = None
    wait: bool = True


class FollowParams(Params):
    """``accounts`` as in ``LinesParams``."""

    accounts: list[Key] = []


class ForceParams(Params):
    """``force`` ends a stranger that holds the port."""

    force: bool = False


P = TypeVar("P", bound=Params)


class ShutdownParams(Params):
    """``shutdown`` asks a gateway that is not ours to end, before it is let go."""

    shutdown: bool = False


Function = Callable[["Supervisor", Any], Awaitable[Any]]
METHODS: dict[str, tuple[type[Params], Function]] = {}


def method(name: str, params: type[Params]) -> Callable[[Function], Function]:
    """Enter a function into the table."""

    def enter(function: Function) -> Function:
        METHODS[name] = (params, function)
        return function

    return enter


async def dispatch(supervisor: Supervisor, name: str, raw: Any) -> Any:
    """Carry out one request; raises ``RemoteError`` for anything that is the caller's fault."""
    if name not in METHODS:
        raise RemoteError(INVALID_REQUEST, f"unknown method: {name}")
    struct, function = METHODS[name]
    return await function(supervisor, params_of(name, struct, raw))


def params_of(name: str, struct: type[P], raw: Any) -> P:
    """Return the params of a request as their struct; raises ``RemoteError``."""
    try:
        return msgspec.convert(raw, struct)
    except msgspec.ValidationError as error:
        raise RemoteError(INVALID_REQUEST, f"invalid {name} params: {explain(error)}") from None


def find(supervisor: Supervisor, key: str) -> Account:
    """Return the account ``key``; an unknown one is answered with those that exist."""
    account = supervisor.accounts.get(key)
    if account is None:
        known = ", ".join(supervisor.accounts) or "none"
        raise RemoteError(INVALID_REQUEST, f"unknown account {key!r}; known: {known}")
    return account


def select(supervisor: Supervisor, targets: list[str]) -> list[Account]:
    """Return the accounts that ``targets`` name, each once, in their own order."""
    chosen: dict[str, Account] = {}
    for target in targets:
        if target == "*":
            chosen |= supervisor.accounts
        elif ":" in target:
            chosen[target] = find(supervisor, target)
        else:
            of_channel = {
                key: account
                for key, account in supervisor.accounts.items()
                if account.spec.channel == target
            }
            if not of_channel:
                known = sorted({a.spec.channel for a in supervisor.accounts.values()}) or ["none"]
                raise RemoteError(
                    INVALID_REQUEST,
                    f"unknown channel {target!r}; channels with accounts: {', '.join(known)}",
                )
            chosen |= of_channel
    return list(chosen.values())


Rows = list[tuple[Account, dict[str, Any]]]


@method("supervisor.status", NoParams)
async def _status(supervisor: Supervisor, params: NoParams) -> Any:
    return msgspec.to_builtins(supervisor.status())


@method("channels.start", TargetParams)
async def _start(supervisor: Supervisor, params: TargetParams) -> Any:
    """Start accounts for an operator: at once, whatever the backoff says."""
    rows, saving = _released(supervisor, params)
    for account, row in rows:
        if not row["ok"]:
            continue
        runs = account.phase in (Phase.STARTING, Phase.RUNNING)
        row |= {"outcome": "skipped", "reason": "task-owned"} if runs else HANDED_OFF
        supervisor.hasten(account)
        account.child.post(Start())  # even if it runs: a stop may be on its way
    return await _once_saved(rows, saving)


@method("channels.stop", TargetParams)
async def _stop(supervisor: Supervisor, params: TargetParams) -> Any:
    """Stop accounts and remember it. The hold is on disk before the stop is acknowledged.

    Where it cannot be written the accounts stop all the same, and ``persisted`` is false. One
    that may not run anyway goes on saying why, and its row has a ``note``.
    """
    chosen = select(supervisor, params.accounts)
    saving = supervisor.roster.hold(chosen, params.reason)
    idle = {account.key: supervisor.roster.idle_for(account) for account in chosen}
    for account in chosen:
        cause = idle[account.key]
        account.child.post(Stop("held", params.reason) if cause is None else Stop(cause))
    persisted = await saving
    rows = await asyncio.gather(*(_stopped(account, params.wait) for account in chosen))
    for row in rows:
        if (cause := idle[row["account"]]) is not None:
            row["note"] = f"it is {cause} anyway; it stays stopped when that changes"
        row["persisted"] = persisted
        if not persisted:
            row.setdefault("error", "the hold could not be written: the next restart forgets it")
    return {"results": rows}


async def _stopped(account: Account, wait: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"account": account.key, "ok": True, "outcome": "stopped"}
    if not wait:
        return row
    within = account.spec.restart.stop_within_seconds + STOP_MARGIN
    row["stopped"] = row["ok"] = await account.settled(
        lambda state: state.phase is Phase.STOPPED, within
    )
    if not row["ok"]:
        row |= {"outcome": "stopping", "error": f"still stopping after {within:g} s"}
    return row


@method("channels.restart", TargetParams)
async def _restart(supervisor: Supervisor, params: TargetParams) -> Any:
    """Replace the accounts' processes; a stopped or waiting account is started."""
    rows, saving = _released(supervisor, params)
    for account, row in rows:
        if row["ok"]:
            row |= {"incarnation": account.child.state.incarnation} | HANDED_OFF
            supervisor.hasten(account)
            account.child.post(Restart(reason="asked for by an operator"))
    return await _once_saved(rows, saving)


async def _once_saved(rows: Rows, saving: Awaitable[bool]) -> dict[str, Any]:
    """Return the rows as results, once it is known whether the releases are on disk."""
    persisted = await saving
    for _, row in rows:
        if "persisted" in row:
            row["persisted"] = persisted
    return {"results": [row for _, row in rows]}


def _released(supervisor: Supervisor, params: TargetParams) -> tuple[Rows, Awaitable[bool]]:
    """Release the holds of all chosen accounts that may run; the other rows get the reason."""
    chosen = select(supervisor, params.accounts)
    obstacles = {account.key: supervisor.roster.obstacle(account) for account in chosen}
    free = [account for account in chosen if obstacles[account.key] is None]
    saving = supervisor.roster.release(free)
    rows = []
    for account in chosen:
        row: dict[str, Any] = {"account": account.key, "ok": True, "persisted": False}
        obstacle = obstacles[account.key]
        if obstacle is not None:
            del row["persisted"]
            row |= {"ok": False, "outcome": "skipped"}
            row["reason"], row["error"] = obstacle
        rows.append((account, row))
    return rows, saving


@method("channels.reset", TargetParams)
async def _reset(supervisor: Supervisor, params: TargetParams) -> Any:
    rows = []
    for account in select(supervisor, params.accounts):
        account.child.post(ResetEvent())
        rows.append({"account": account.key, "ok": True, "outcome": "reset"})
    return {"results": rows}


@method("channels.describe", AccountParams)
async def _describe(supervisor: Supervisor, params: AccountParams) -> Any:
    account = find(supervisor, params.account)
    state, obstacle = account.child.state, supervisor.roster.obstacle(account)
    return {
        "status": msgspec.to_builtins(account.status()),
        "label": account.spec.manifest.label,
        "name": account.spec.name,
        "identity": account.spec.label,
        "configRevision": supervisor.loaded.revision,
        "limits": msgspec.to_builtins(account.spec.limits),
        "limitsBy": supervisor.limits_by,
        "why": why(state, obstacle[1] if obstacle else None, account.hold),
        "next": what_next(account.key, state, held=account.hold is not None),
        "events": list(account.history),
        "lines": supervisor.logs.tail([account.key], 20),
    }


@method("channels.events", AccountParams)
async def _events(supervisor: Supervisor, params: AccountParams) -> Any:
    return {"events": list(find(supervisor, params.account).history)}


@method("channels.logs", LinesParams)
async def _logs(supervisor: Supervisor, params: LinesParams) -> Any:
    return {"lines": supervisor.logs.tail(log_names(supervisor, params.accounts), params.lines)}


def log_names(supervisor: Supervisor, targets: list[str]) -> list[str] | None:
    """Return the names of the logs that ``targets`` mean, ``None`` for all of them."""
    if not targets:
        return None
    own = [name for name in targets if name in ("gateway", "supervisor")]
    others = [name for name in targets if name not in own]
    return own + [account.key for account in select(supervisor, others)]


@method("channels.holds", NoParams)
async def _holds(supervisor: Supervisor, params: NoParams) -> Any:
    """Tell the manual stops; one that is not on disk has ``persisted`` false."""
    holds = {key: msgspec.to_builtins(hold) for key, hold in supervisor.holds.all().items()}
    for key in supervisor.holds.unsaved:
        holds[key]["persisted"] = False
    return {"holds": holds}


@method("gateway.start", ForceParams)
async def _gateway_start(supervisor: Supervisor, params: ForceParams) -> Any:
    front = _front(supervisor)
    try:
        if params.force:
            await front.open(force=True)
        _front(supervisor).start()  # asked again: the end may have begun meanwhile
    except PortUnusable as error:
        raise RemoteError(UNAVAILABLE, str(error)) from None
    up = await front.until(lambda: front.connected, _up_within(front))
    return {"ok": up, "gateway": msgspec.to_builtins(front.status())}


@method("gateway.stop", ShutdownParams)
async def _gateway_stop(supervisor: Supervisor, params: ShutdownParams) -> Any:
    front = supervisor.front
    answer: dict[str, Any] = {}
    if params.shutdown:
        answer["shutdown"] = await front.shut_down() or "asked for"
    front.stop()
    within = front.child.policy.stop_within + GATEWAY_DOWN
    answer["ok"] = await front.until(lambda: front.child.state.phase is Phase.STOPPED, within)
    return answer | {"gateway": msgspec.to_builtins(front.status())}


@method("gateway.restart", NoParams)
async def _gateway_restart(supervisor: Supervisor, params: NoParams) -> Any:
    """Restart it. Done is what was spawned after the request: only that has read the file."""
    front = _front(supervisor)
    before = front.spawned
    try:
        answer = front.restart()
    except PortUnusable as error:
        raise RemoteError(UNAVAILABLE, str(error)) from None
    up = await front.until(lambda: front.connected and front.spawned > before, _up_within(front))
    row: dict[str, Any] = {"ok": up, "outcome": answer.outcome.value}
    if answer.after:
        row["retryAfterMs"] = round(answer.after * 1000)
    return row | {"gateway": msgspec.to_builtins(front.status())}


def _up_within(front: ManagedGateway) -> float:
    """Return how long a start is waited for; a foreign gateway is slow."""
    return GATEWAY_UP if front.kind.name == "own" else front.child.policy.ready_within


def _front(supervisor: Supervisor) -> ManagedGateway:
    """Return the gateway's keeper, unless the end has begun."""
    if supervisor.stopping:
        raise RemoteError(UNAVAILABLE, "the supervisor is stopping")
    return supervisor.front


@method("metrics", NoParams)
async def _metrics(supervisor: Supervisor, params: NoParams) -> Any:
    """Return the figures as text for Prometheus: the gateway need not be up for them."""
    rows = [account.status() for account in supervisor.accounts.values()]
    series = [*figures.of_supervisor(supervisor), *metrics.of_accounts(rows, time.time())]
    return {"text": metrics.text(series)}


@method("config.reload", NoParams)
async def _reload(supervisor: Supervisor, params: NoParams) -> Any:
    return await supervisor.reread()


@method("shutdown", NoParams)
async def _shutdown(supervisor: Supervisor, params: NoParams) -> Any:
    supervisor.request_stop("asked to by an operator")
    return {"ok": True, "pid": supervisor.pid}


@method("version", NoParams)
async def _version(supervisor: Supervisor, params: NoParams) -> Any:
    return {"version": supervisor.version, "pid": supervisor.pid}

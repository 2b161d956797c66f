"""Starts, stops, restarts, drains and describes accounts for operators; agents where named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec
from msgspec.structs import replace

from ipc.frames.control import Rechecked
from ipc.frames.requests import (
    AccountParams,
    AccountsParams,
    DrainParams,
    NoParams,
    NoteParams,
    Reason,
)
from ipc.frames.words import Phase
from runtime.config.access_policy import describe_access
from runtime.config.accounts import AccountSpec
from runtime.config.agents import AgentSpec
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.explain import unconfirmed, what_next, why
from runtime.supervisor.api.table import HERE, Caller, add_change, find, method, select
from runtime.supervisor.lifecycle import Reset, Restart, Start, Stop
from runtime.supervisor.parts import Parts

STOP_MARGIN = 3.0  # seconds beyond the stop grace for the kill and the reaping
RECHECK_SECONDS = 15.0  # a password store may be slow; the caller waits 20
DESCRIBED_LINES = 20
HANDED_OFF = {"outcome": "handed-off"}

Row = dict[str, Any]
Rows = list[tuple[Account, Row]]


class TargetParams(AccountsParams):
    """The accounts of a request: keys, bare channel names, or ``*``.

    ``wait``: the answer comes once they have stopped.
    """

    reason: Reason | None = None
    wait: bool = True


@method("channels.start", TargetParams, asks_caller=True, changes=True)
async def start(parts: Parts, params: TargetParams, *, caller: Caller = HERE) -> Any:
    """Start accounts at once, without waiting for a backoff."""
    rows, saving = _release(parts, params)
    for account, row in rows:
        if row["ok"]:
            runs = account.phase in (Phase.STARTING, Phase.RUNNING)
            row |= {"outcome": "skipped", "reason": "task-owned"} if runs else HANDED_OFF
            _prioritize(parts, account)
            account.child.post(Start(by=caller.by))  # even if it runs: a stop may be on its way
    return await _once_saved(rows, saving)


@method("channels.restart", TargetParams, asks_caller=True, changes=True)
async def restart(parts: Parts, params: TargetParams, *, caller: Caller = HERE) -> Any:
    """Replace the accounts' processes; a stopped or waiting account is started."""
    rows, saving = _release(parts, params)
    for account, row in rows:
        if row["ok"]:
            row |= {"incarnation": account.child.state.incarnation} | HANDED_OFF
            _prioritize(parts, account)
            account.child.post(Restart(reason="asked for by an operator", by=caller.by))
    return await _once_saved(rows, saving)


@method("channels.start.unknown", NoParams, asks_caller=True, changes=True)
async def start_unknown(parts: Parts, params: NoParams, *, caller: Caller = HERE) -> Any:
    """Start every account whose hold is unknown."""
    unknown = [key for key, hold in parts.holds.all().items() if hold.unknown]
    known = [key for key in unknown if key in parts.roster.workers]
    return await start(parts, TargetParams(accounts=known), caller=caller)


async def _once_saved(rows: Rows, saving: Awaitable[bool]) -> dict[str, Any]:
    """Return the result rows once it is known whether the releases are on disk."""
    persisted = await saving
    for _, row in rows:
        if "persisted" in row:
            row["persisted"] = persisted
    return {"results": [row for _, row in rows]}


def _release(parts: Parts, params: TargetParams) -> tuple[Rows, Awaitable[bool]]:
    """Release the holds of all chosen accounts that may run; rows of others get the reason."""
    chosen = select(parts.roster.workers, params.accounts)
    obstacles = {account.key: parts.roster.obstacle(account) for account in chosen}
    free = [account for account in chosen if obstacles[account.key] is None]
    saving = parts.roster.release(free)
    rows = []
    for account in chosen:
        row: Row = {"account": account.key, "ok": True, "persisted": False}
        obstacle = obstacles[account.key]
        if obstacle is not None:
            del row["persisted"]
            row |= {"ok": False, "outcome": "skipped"}
            row["reason"], row["error"] = obstacle
        rows.append((account, row))
    return rows, saving


def _prioritize(parts: Parts, account: Account) -> None:
    """Move an account's start, present or next, to the front of the queue, for a waiting person."""
    account.prioritize()
    parts.starts.to_front(account.key)


@method("channels.stop", TargetParams, asks_caller=True, changes=True)
async def stop(parts: Parts, params: TargetParams, *, caller: Caller = HERE) -> Any:
    """Stop and hold accounts. The hold is on disk before the stop is acknowledged.

    If it cannot be written the accounts still stop, and ``persisted`` is false. An account that may
    not run anyway keeps its cause, and its row has a ``note``.
    """
    chosen = select(parts.roster.workers, params.accounts)
    return {"results": await _stop(parts, chosen, params, caller)}


async def _stop(
    parts: Parts, chosen: list[Account], params: TargetParams | DrainParams, caller: Caller
) -> list[Row]:
    saving = parts.roster.hold(chosen, params.reason, caller.by)
    idle = {account.key: parts.roster.idle_for(account) for account in chosen}
    ending = {account.key for account in chosen if account.phase is not Phase.STOPPED}
    for account in chosen:
        cause = idle[account.key]
        stop = Stop("held", params.reason) if cause is None else Stop(cause)
        account.child.post(replace(stop, by=caller.by))
    persisted = await saving
    wait = not isinstance(params, TargetParams) or params.wait
    rows = await asyncio.gather(*(_stopped(account, wait=wait) for account in chosen))
    for row, account in zip(rows, chosen, strict=True):
        count = account.status().possibly_lost
        if count and row.get("stopped") and account.key in ending:
            row |= {"unconfirmed": count, "note": unconfirmed(count)}
        if (cause := idle[row["account"]]) is not None:
            row["note"] = f"it is {cause} anyway; it stays stopped when that changes"
        row["persisted"] = persisted
        if not persisted:
            row.setdefault("error", "the hold could not be written: the next restart forgets it")
    return rows


async def _stopped(account: Account, *, wait: bool) -> Row:
    row: Row = {"account": account.key, "ok": True, "outcome": "stopped"}
    if not wait:
        return row
    within = account.spec.restart.stop_within_seconds + STOP_MARGIN
    row["stopped"] = row["ok"] = await account.wait_until(
        lambda state: state.phase is Phase.STOPPED, within
    )
    if not row["ok"]:
        row |= {"outcome": "stopping", "error": f"still stopping after {within:g} s"}
    return row


@method("channels.drain", DrainParams, asks_caller=True, changes=True)
async def drain(parts: Parts, params: DrainParams, *, caller: Caller = HERE) -> Any:
    """Stop accounts once what is in flight is done; they are held, as after a stop."""
    chosen = select(parts.roster.workers, params.accounts)
    seconds = params.timeout_ms / 1000
    for account in chosen:
        account.set_draining(True)
    try:
        drained = await asyncio.gather(*(_drain(parts, account, seconds) for account in chosen))
        keys = [account.key for account in chosen]  # one may have been removed meanwhile
        rows = await _stop(parts, select(parts.roster.workers, keys), params, caller)
    finally:
        for account in chosen:
            account.set_draining(False)
    for row, done in zip(rows, drained, strict=True):
        row["drained"] = done
    return {"results": rows}


async def _drain(parts: Parts, account: Account, seconds: float) -> bool:
    if account.phase is not Phase.RUNNING:
        return True
    return await parts.link.request_drain(account, seconds)


@method("channels.reset", TargetParams, asks_caller=True, changes=True)
async def reset(parts: Parts, params: TargetParams, *, caller: Caller = HERE) -> Any:
    """Reset the failure counts of accounts."""
    rows = []
    for account in select(parts.roster.workers, params.accounts):
        account.child.post(Reset(by=caller.by))
        rows.append({"account": account.key, "ok": True, "outcome": "reset"})
    return {"results": rows}


@method("channels.describe", AccountParams)
async def describe(parts: Parts, params: AccountParams) -> Any:
    """Return everything about one account, with an explanation of its state."""
    account = find(parts.roster.workers, params.account)
    state, obstacle = account.child.state, parts.roster.obstacle(account)
    status = account.status()
    return {
        "status": msgspec.to_builtins(status),
        "label": account.spec.manifest.label,
        "name": account.spec.name,
        "identity": account.spec.label,
        "python": account.spec.python,
        "configRevision": parts.configuration.revision,
        "limits": msgspec.to_builtins(account.spec.limits),
        "limitsBy": parts.launcher.limits_by,
        **_of_kind(account.spec),
        "why": why(state, obstacle[1] if obstacle else None, account.hold, health=status.health),
        "next": what_next(account.spec, state, held=account.hold is not None, health=status.health),
        "events": list(account.history),
        "imports": parts.channel_zygotes.about(account.key),
        "lines": parts.logs.tail([account.key], DESCRIBED_LINES),
    }


def _of_kind(spec: WorkerSpec) -> Row:
    """Return the details that only accounts, or only agents, have."""
    if isinstance(spec, AgentSpec):
        return {
            "kind": spec.manifest.id,
            "repeat": spec.repeat,
            "timeoutSeconds": spec.timeout_seconds,
        }
    return {"access": describe_access(spec.access)} if isinstance(spec, AccountSpec) else {}


@method("channels.note", NoteParams, asks_caller=True)
async def note(parts: Parts, params: NoteParams, *, caller: Caller = HERE) -> Any:
    """Add a note about an action of the gateway to the histories."""
    text = params.text
    if params.account is not None:
        find(parts.roster.workers, params.account).add_note(text, caller.by)
        text = f"{params.account}: {text}"
    add_change(parts.history, text, caller.by)
    return {"ok": True}


@method("channels.events", AccountParams)
async def events(parts: Parts, params: AccountParams) -> Any:
    """Return the history of an account."""
    return {"events": list(find(parts.roster.workers, params.account).history)}


@method("channels.holds", NoParams)
async def holds(parts: Parts, params: NoParams) -> Any:
    """Return the holds; one that is not on disk has ``persisted`` false."""
    held = {key: msgspec.to_builtins(hold) for key, hold in parts.holds.all().items()}
    for key in parts.holds.unsaved:
        held[key]["persisted"] = False
    return {"holds": held}


@method("secrets.reload", NoParams, asks_caller=True, changes=True)
async def reload_secrets(parts: Parts, params: NoParams, *, caller: Caller = HERE) -> Any:
    """Restart accounts whose secrets have changed; a worker reads them only at its start.

    Each worker compares its own, so that the supervisor sees no secret. If one cannot be read the
    account continues with the old one.
    """
    chosen = [
        account
        for account in parts.roster.workers.values()
        if account.phase in (Phase.RUNNING, Phase.STARTING) and _refers(account.spec.config)
    ]
    answers = await asyncio.gather(*(_recheck(parts, account) for account in chosen))
    replaced, warnings = [], []
    for account, answer in zip(chosen, answers, strict=True):
        if account.phase not in (Phase.RUNNING, Phase.STARTING):
            continue  # it has ended meanwhile: the next one reads them
        if answer is None or answer.changed:
            account.child.post(Restart(reason="its secret changed", by=caller.by))
            replaced.append(account.key)
        elif answer.problem:
            warnings.append({"account": account.key, "message": answer.problem})
    found: Row = {"ok": True, "warningCount": len(warnings), "restarted": replaced}
    return found | ({"warnings": warnings} if warnings else {})


async def _recheck(parts: Parts, account: Account) -> Rechecked | None:
    """Ask a worker whether its secrets have changed; ``None`` if it does not answer."""
    if account.phase is not Phase.RUNNING:
        return None
    return await parts.link.request_recheck(account, RECHECK_SECONDS)


def _refers(value: Any) -> bool:
    """Return whether a configuration contains references to secrets."""
    if isinstance(value, dict):
        return set(value) == {"source", "id"} or any(map(_refers, value.values()))
    return isinstance(value, list) and any(map(_refers, value))

"""Waits until accounts have reached a phase.

It subscribes to events before it reads the status, so that no change is missed in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from ipc import timeouts
from ipc.frames.websocket import Event
from ipc.frames.words import Phase, command_for
from ipc.websocket.reconnecting import OPENED
from ops.connect.account_api import AccountApi, connected_account_api, payload_of
from ops.connect.selection import chosen
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from ops.output.progress import ProgressLine

Row = dict[str, Any]
LINKING = "linking"  # starting, for a person who has to log in
# Causes of a stop that does not end by itself, and what ends it.
KEPT_DOWN = {
    "held": "start it",
    "disabled": "set its enabled to true in the configuration",
    "unconfigured": "complete it in the configuration",
}


class Goal(StrEnum):
    """The phases that can be waited for."""

    RUNNING = Phase.RUNNING.value
    STOPPED = Phase.STOPPED.value


class PhaseWaiter:
    """Waits until accounts have reached the phase ``goal``.

    Pass ``on_event`` to the connection before any request is sent on it.
    ``on_progress`` is called after each change with the number reached and the number wanted.
    ``beyond`` holds, per account, the newest incarnation that does not count: after a
    restart the old process still runs for a moment.
    """

    def __init__(self, goal: Goal, on_progress: Callable[[int, int], None] | None = None) -> None:
        self.goal = goal
        self._on_progress = on_progress or (lambda there, wanted: None)
        self.beyond: dict[str, int] = {}
        self._rows: dict[str, Row] = {}
        self._changed = asyncio.Event()
        self._missed = False  # another session: events between the two were lost

    def on_event(self, event: Event) -> None:
        """Handle one event of the connection."""
        if event.event in ("channel.status", "agent.status"):
            row = payload_of(event)
            self._rows[row["account"]] = row
            self._changed.set()
        elif event.event == OPENED:
            self._missed = True
            self._changed.set()

    async def wait(self, api: AccountApi, wanted: Sequence[str], timeout: float) -> list[Row]:
        """Return the rows of the ``wanted`` accounts once all of them have reached the phase.

        Raises ``OperatorError``: exit 4 after ``timeout`` seconds, 1 for an account that
        cannot reach it, 3 if the connection ends.
        """
        keys = await self._read_rows(api, wanted)
        try:
            async with timeouts.timeout(timeout):
                while missing := self._not_there(keys):
                    self._on_progress(len(keys) - len(missing), len(keys))
                    await self._next_change(api)
                    if self._missed:
                        await self._read_rows(api, keys)
        except TimeoutError:
            raise OperatorError(self._late(keys, timeout), ExitCode.TIMEOUT) from None
        self._on_progress(len(keys), len(keys))
        return [self._rows[key] for key in keys]

    async def _read_rows(self, api: AccountApi, wanted: Sequence[str]) -> list[str]:
        """Read the current rows; return the keys of the ``wanted`` ones."""
        if self._missed:
            self._missed, self._rows = False, {}
        status = await api.status()
        rows = chosen([*status["accounts"], *status["agents"]], wanted)
        # An event's row is never older than the snapshot's: one connection keeps its order.
        self._rows = {row["account"]: row for row in rows} | self._rows
        return [row["account"] for row in rows]

    async def _next_change(self, api: AccountApi) -> None:
        changed: asyncio.Future[Any] = asyncio.ensure_future(self._changed.wait())
        closed: asyncio.Future[Any] = asyncio.shield(api.client.closed)
        try:
            await asyncio.wait({changed, closed}, return_when=asyncio.FIRST_COMPLETED)
            if closed.done() and not self._changed.is_set():
                text = "the connection ended before that; `trunkline status` shows how it is now"
                raise OperatorError(text, ExitCode.NOT_RUNNING)
        finally:
            changed.cancel()
            closed.cancel()
        self._changed.clear()

    def _not_there(self, keys: Sequence[str]) -> list[str]:
        """Return the accounts that have not reached the phase; raises for one that cannot."""
        for key in keys:
            row = self._rows[key]
            counts = self.goal is Goal.RUNNING and self._counts(key, row)
            if counts and (why := _why_never(key, row)) is not None:
                raise OperatorError(why)
        return [key for key in keys if not self._is_there(key, self._rows[key])]

    def _is_there(self, key: str, row: Row) -> bool:
        return bool(row["phase"] == self.goal) and self._counts(key, row)

    def _counts(self, key: str, row: Row) -> bool:
        return (row.get("incarnation") or 0) > self.beyond.get(key, -1)

    def _late(self, keys: Sequence[str], timeout: float) -> str:
        states = []
        for key in self._not_there(keys):
            row = self._rows[key]
            why = _why(row)
            states.append(f"{key} is {row['phase']}" + (f" ({why})" if why else ""))
        return f"not {self.goal} within {timeout:g} s: {'; '.join(states)}"


def wait_for(target: RuntimeTarget, wanted: Sequence[str], goal: Goal, timeout: float) -> list[Row]:
    """Wait until the ``wanted`` accounts of a runtime have reached ``goal``; return their rows.

    Raises the errors of ``PhaseWaiter.wait``.
    """
    return asyncio.run(_wait_for(target, wanted, goal, timeout))


async def _wait_for(
    target: RuntimeTarget, wanted: Sequence[str], goal: Goal, timeout: float
) -> list[Row]:
    with ProgressLine(goal) as progress:
        waiter = PhaseWaiter(goal, progress.show)
        async with connected_account_api(target, on_event=waiter.on_event) as api:
            return await waiter.wait(api, wanted, timeout)


def _why_never(key: str, row: Row) -> str | None:
    """Return why an account will not run unless a person acts; ``None`` if it may."""
    phase, cause = row["phase"], row.get("cause")
    if phase == Phase.FAILED:
        why = row.get("lastError") or cause
        act = row.get("todo") or f"see `{command_for(key, 'describe')}`"
        return f"{key} failed and needs a person: {f'{why}; ' if why else ''}{act}"
    if phase == Phase.STARTING and cause == LINKING:
        return f"{key} waits for a login and needs a person: {row.get('todo') or cause}"
    if phase == Phase.STOPPED and cause in KEPT_DOWN:
        act = row.get("todo") or KEPT_DOWN[cause]
        return f"{key} is {phase} ({_why(row)}) and needs a person: {act}"
    return None


def _why(row: Row) -> str | None:
    """Return why an account is in its phase; the last error of a stopped one is not the reason."""
    if row["phase"] != Phase.STOPPED or not row.get("cause"):
        return row.get("lastError") or row.get("cause")
    reason = (row.get("hold") or {}).get("reason")
    return f"{row['cause']}: {reason}" if reason else str(row["cause"])

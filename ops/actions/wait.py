"""Waiting until accounts are as they should be.

The events come first and the snapshot after them, so no change can fall between the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ipc.websocket.reconnecting import OPENED
from ops.connect.account_api import Reach, payload, reach
from ops.connect.selection import chosen
from ops.exits import Exit, OperatorError

if TYPE_CHECKING:
    from ipc.frames.websocket import Event
    from runtime.config.places import Places

Row = dict[str, Any]


class Vigil:
    """Waits for one goal, ``running`` or ``stopped``.

    ``beyond`` holds, per account, the incarnation that does not count any more: after a
    restart the old process still runs for a moment.
    """

    def __init__(self, goal: str) -> None:
        self.goal = goal
        self.beyond: dict[str, int] = {}
        self._rows: dict[str, Row] = {}
        self._changed = asyncio.Event()
        self._missed = False  # another session: what happened before it was told to nobody

    @asynccontextmanager
    async def over(
        self, places: Places, url: str | None, token: str | None
    ) -> AsyncIterator[Reach]:
        """Open the way to the accounts, with their events coming here."""
        async with reach(places, url, token, on_event=self._on_event) as runtime:
            yield runtime

    def _on_event(self, event: Event) -> None:
        if event.event == "channel.status":
            row = payload(event)
            self._rows[row["account"]] = row
            self._changed.set()
        elif event.event == OPENED:
            self._missed = True
            self._changed.set()

    async def until(self, runtime: Reach, wanted: Sequence[str], timeout: float) -> list[Row]:
        """Return the rows of the ``wanted`` accounts once all of them are as they should be.

        Raises ``OperatorError``: exit 4 after ``timeout`` seconds, 1 for an account that
        cannot get there, 3 when the other side ends.
        """
        keys = await self._look(runtime, wanted)
        try:
            async with asyncio.timeout(timeout):
                while self._open(keys):
                    await self._next(runtime)
                    if self._missed:
                        await self._look(runtime, keys)
        except TimeoutError:
            raise OperatorError(self._late(keys, timeout), Exit.TIMEOUT) from None
        return [self._rows[key] for key in keys]

    async def _look(self, runtime: Reach, wanted: Sequence[str]) -> list[str]:
        """Take the rows as they are now; return the keys of the ``wanted`` ones."""
        if self._missed:
            self._missed, self._rows = False, {}
        rows = chosen((await runtime.status())["accounts"], wanted)
        # What an event said is never older than the snapshot: one connection keeps its order.
        self._rows = {row["account"]: row for row in rows} | self._rows
        return [row["account"] for row in rows]

    async def _next(self, runtime: Reach) -> None:
        changed: asyncio.Future[Any] = asyncio.ensure_future(self._changed.wait())
        closed: asyncio.Future[Any] = asyncio.shield(runtime.client.closed)
        try:
            await asyncio.wait({changed, closed}, return_when=asyncio.FIRST_COMPLETED)
            if closed.done() and not self._changed.is_set():
                raise OperatorError("the other side ended meanwhile", Exit.NOT_RUNNING)
        finally:
            changed.cancel()
            closed.cancel()
        self._changed.clear()

    def _open(self, keys: Sequence[str]) -> list[str]:
        """Return the accounts that are not there yet."""
        for key in keys:
            row = self._rows[key]
            if self.goal == "running" and row["phase"] == "failed" and self._counts(key, row):
                why = (
                    row.get("lastError") or row.get("cause") or "see `trunkline channels describe`"
                )
                raise OperatorError(f"{key} failed and needs a person: {why}")
        return [key for key in keys if not self._is_there(key, self._rows[key])]

    def _is_there(self, key: str, row: Row) -> bool:
        return bool(row["phase"] == self.goal) and self._counts(key, row)

    def _counts(self, key: str, row: Row) -> bool:
        return (row.get("incarnation") or 0) > self.beyond.get(key, -1)

    def _late(self, keys: Sequence[str], timeout: float) -> str:
        states = []
        for key in self._open(keys):
            row = self._rows[key]
            why = _why(row)
            states.append(f"{key} is {row['phase']}" + (f" ({why})" if why else ""))
        return f"not {self.goal} within {timeout:g} s: {'; '.join(states)}"


def _why(row: Row) -> str | None:
    """Return why an account is as it is; the last error of a stopped one is an old story."""
    if row["phase"] != "stopped" or not row.get("cause"):
        return row.get("lastError") or row.get("cause")
    reason = (row.get("hold") or {}).get("reason")
    return f"{row['cause']}: {reason}" if reason else str(row["cause"])

"""Keeps the newest status row of every account and agent, from the events of ``cli.sock``.

A waiter is woken by the event itself, and gets the time at which it came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from ipc.frames.websocket import Event
from tests.support.daemon import Daemon

Row = dict[str, Any]
PATIENCE = 60.0  # seconds
STATUS = ("channel.status", "agent.status")


class Rows:
    """The newest row of every account, by key."""

    def __init__(self) -> None:
        self.newest: dict[str, Row] = {}
        self._waiting: list[tuple[str, Callable[[Row], Any], asyncio.Future[float]]] = []

    def take(self, event: Event) -> None:
        """Handle one event of the session."""
        if event.event in STATUS and isinstance(event.payload, msgspec.Raw):
            self._take(msgspec.json.decode(event.payload), time.monotonic())

    def _take(self, row: Row, now: float) -> None:
        key = row["account"]
        self.newest[key] = row
        for wanted, true, future in self._waiting:
            if wanted == key and not future.done() and true(row):
                future.set_result(now)

    def seed(self, rows: dict[str, Row]) -> None:
        """Store the rows of a full status for which no newer one has arrived."""
        for key, row in rows.items():
            if key not in self.newest:
                self._take(row, time.monotonic())

    async def until(self, key: str, true: Callable[[Row], Any], within: float = PATIENCE) -> float:
        """Wait for a row of the account that satisfies ``true``; return its time (CLOCK_MONOTONIC).

        Now, where it holds already. Raises ``TimeoutError``.
        """
        if key in self.newest and true(self.newest[key]):
            return time.monotonic()
        came: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        entry = (key, true, came)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(within):
                return await came
        except TimeoutError:
            raise TimeoutError(f"{key}: not within {within:g} s: {self.newest.get(key)}") from None
        finally:
            self._waiting.remove(entry)


@asynccontextmanager
async def rows_of(daemon: Daemon) -> AsyncIterator[Rows]:
    """Follow the rows of a running daemon."""
    rows = Rows()
    async with await daemon.local(on_event=rows.take):
        status = await daemon.status()
        agents = {row["account"]: row for row in status.get("agents", [])}
        rows.seed(status["accounts"] | agents)
        yield rows


def down(row: Row) -> bool:
    """Return whether the account's process is gone and a restart is pending."""
    return bool(row["phase"] == "backoff")


def up(*, after: int = -1) -> Callable[[Row], bool]:
    """Return a predicate: the account runs, in an incarnation above ``after``.

    Its process is known too: a worker may be ready before that.
    """
    return lambda row: bool(row["phase"] == "running" and row["pid"] and row["incarnation"] > after)


async def restart_seconds(daemon: Daemon, rows: Rows, key: str) -> float:
    """Stop an account and start it; return the seconds from the request to start it until it ran.

    ``rows`` must be open.
    """
    before = rows.newest[key]["incarnation"]
    await daemon.call("channels.stop", {"accounts": [key]})
    await rows.until(key, lambda row: row["phase"] == "stopped")
    async with await daemon.local() as client:
        began = time.monotonic()
        await client.call("channels.start", {"accounts": [key]})
        return await rows.until(key, up(after=before)) - began

"""Restarts and kills of the real daemon's processes, and clients that keep calling."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ipc.errors import IpcError
from tests.support.daemon import Daemon

RATE = 20  # calls a second of each caller


async def restart_gateway(daemon: Daemon) -> None:
    """Restart the gateway gracefully; return when the next one serves."""
    before = (await daemon.status())["gateway"]["pid"]
    await daemon.call("gateway.restart")
    await _another(daemon, before)


async def kill_gateway(daemon: Daemon) -> None:
    """Kill the gateway with SIGKILL; return when the next one serves.

    Its failures are forgiven then: each kill is the first, as if a day lay between them.
    """
    before = (await daemon.status())["gateway"]["pid"]
    os.kill(before, signal.SIGKILL)
    await _another(daemon, before)
    await daemon.call("gateway.start")


async def kill_next(daemon: Daemon, key: str, killed: list[int]) -> int:
    """Kill the next worker of an account that is not in ``killed``; return its pid."""

    def runs(status: dict[str, Any]) -> bool:
        # For a moment after a death the phase is still "running", with no process any more.
        row = status["accounts"][key]
        return row["phase"] == "running" and row["pid"] not in (None, *killed)

    pid = int((await daemon.wait(runs))["accounts"][key]["pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


async def _another(daemon: Daemon, before: int) -> None:
    def served(status: dict[str, Any]) -> bool:
        gateway = status["gateway"]
        return bool(gateway["connected"]) and gateway["pid"] != before

    await daemon.wait(served)


@dataclass
class Calls:
    """The results of one caller. ``seconds`` are from the attempt to the answer, one per call."""

    seconds: list[float] = field(default_factory=list)
    in_flight: int = 0  # failed, and may have been executed; asked again
    failed: list[IpcError] = field(default_factory=list)

    def longest(self, since: int) -> float:
        """Return how long the slowest call took, of those after the first ``since``."""
        return max(self.seconds[since:], default=0.0)


class LastingCaller:
    """Keeps one client, which reconnects when a session has ended, as a user interface does."""

    def __init__(self, daemon: Daemon) -> None:
        self._client = daemon.reconnecting()
        self._opening = asyncio.Lock()

    async def call(self, calls: Calls) -> None:
        async with self._opening:
            if not self._client.sessions:
                await self._client.open()
        await self._client.call("health")
        calls.in_flight = self._client.repeated

    async def close(self) -> None:
        await self._client.close()


class FreshCaller:
    """Opens a client for every call, as a command line does."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def call(self, calls: Calls) -> None:
        async with self._daemon.reconnecting() as client:
            await client.call("health")
            calls.in_flight += client.repeated

    async def close(self) -> None:
        pass


async def _keep_calling(caller: LastingCaller | FreshCaller, calls: Calls) -> None:
    """Call at ``RATE`` until cancelled, without waiting for earlier answers."""

    async def one() -> None:
        began = time.monotonic()
        try:
            await caller.call(calls)
        except IpcError as error:
            calls.failed.append(error)
        calls.seconds.append(time.monotonic() - began)

    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(one())
            await asyncio.sleep(1 / RATE)


@asynccontextmanager
async def calling(*callers: LastingCaller | FreshCaller) -> AsyncIterator[list[Calls]]:
    """Run the callers while the block runs."""
    noted = [Calls() for _ in callers]
    tasks = [
        asyncio.create_task(_keep_calling(caller, calls))
        for caller, calls in zip(callers, noted, strict=True)
    ]
    try:
        yield noted
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for caller in callers:
            await caller.close()


def sentence(noted: list[Calls], outages: list[float], what: str) -> str:
    """Return the results in one line."""
    total = sum(len(calls.seconds) for calls in noted)
    failed = sum(len(calls.failed) for calls in noted)
    in_flight = sum(calls.in_flight for calls in noted)
    median, most = statistics.median(outages) * 1e3, max(outages) * 1e3
    return (
        f"{len(outages)} {what}: {total} calls, {failed} failed, {in_flight} in flight repeated; "
        f"outage seen by a client {median:.0f} ms (median), {most:.0f} ms (most)"
    )

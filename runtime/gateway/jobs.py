"""Runs and counts the requests that wait for another process.

One owner for all of them, so that a drain can wait until they are done and the end can
cancel what is left. A fault in one is logged: it ends neither the others nor the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from ipc import timeouts

log = structlog.get_logger("gateway.jobs")


class Jobs:
    """Coroutines in a task group, which handle errors that are expected; the length counts all."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._group = tasks
        self._running: dict[asyncio.Task[None], Coroutine[Any, Any, None]] = {}
        self._others = 0  # without a task of their own
        self._idle = asyncio.Event()  # for those that wait for it: what begins does not clear it

    def __len__(self) -> int:
        return len(self._running) + self._others

    def start(self, job: Coroutine[Any, Any, None]) -> None:
        """Run ``job`` in a task."""
        task = self._group.create_task(_run(job))
        self._running[task] = job
        task.add_done_callback(self._on_done)

    def begin(self) -> None:
        """Count a job that has no task; ``end`` must follow."""
        self._others += 1

    def end(self) -> None:
        """Count a job without a task as done."""
        self._others -= 1
        if not self._others:
            self._notice_idle()

    async def finish(self, seconds: float) -> bool:
        """Wait until nothing runs, at most ``seconds``; return whether that was reached."""
        if not len(self):
            return True
        self._idle.clear()
        try:
            async with timeouts.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def cancel(self) -> None:
        """Cancel what still runs."""
        for task in self._running:
            task.cancel()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task).close()  # of one that was cancelled before it began
        self._notice_idle()

    def _notice_idle(self) -> None:
        if not self._running and not self._others:
            self._idle.set()


async def _run(job: Coroutine[Any, Any, None]) -> None:
    """Await a job, and log an exception of it."""
    try:
        await job
    except Exception:  # in the task group it would end the gateway
        log.exception("a job failed", job=getattr(job, "__qualname__", None))

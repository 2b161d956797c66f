"""Runs background tasks that neither end the supervisor nor outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

import structlog

from ipc.lifelong import lifelong

log = structlog.get_logger("supervisor")


async def run_optional(name: str, work: Awaitable[object]) -> None:
    """Run optional work; log its exception instead of raising it."""
    try:
        await work
    except Exception:
        log.exception("optional work failed", what=name)


class Background:
    """The supervisor's task group. Work started outside its ``async with`` block is not run.

    ``warnings`` has a sentence for each lifelong task that has ended.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False

    def start_permanent(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        """Run ``work``, which should last as long as the supervisor; its end is a warning."""
        self.start(name, self.run_permanent(name, work))

    async def run_permanent(self, name: str, work: Awaitable[object]) -> None:
        """Await ``work`` like ``start_permanent``, but in the caller's own task."""
        await lifelong(name, work, self._on_ended)

    def _on_ended(self, why: str, error: BaseException | None) -> None:
        if self._open:
            self.warnings.append(f"{why}; a restart of the daemon begins it again")
            log.error("a helper task has ended", why=why, exc_info=error)

    def start(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        """Run ``work`` as a task; its exception is logged under ``name``."""
        if not self._open:
            work.close()
            return
        task = asyncio.create_task(run_optional(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def __aenter__(self) -> Background:
        self._open = True
        return self

    async def __aexit__(self, *error: object) -> None:
        """Cancel what still runs and wait for its end."""
        self._open = False
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

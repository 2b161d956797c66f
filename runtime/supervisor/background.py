"""Runs background tasks, which must neither end the supervisor nor outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger("supervisor")


async def run_optional(name: str, work: Awaitable[object]) -> None:
    """Run optional work; log its exception instead of raising it."""
    try:
        await work
    except Exception:
        log.exception("given up", what=name)


class Background:
    """The supervisor's group of tasks. Work that is started outside its ``with`` is not run."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False

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

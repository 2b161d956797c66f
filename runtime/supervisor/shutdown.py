"""Begins the shutdown of the supervisor at the first request, and speeds it up at the second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger("supervisor")


class Shutdown:
    """The shutdown of one supervisor; ``on_begin`` is called once, at the first request."""

    def __init__(self, on_begin: Callable[[], None]) -> None:
        self._on_begin = on_begin
        self._begun = asyncio.Event()
        self._hurried = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether the shutdown has begun, so that nothing is started any more."""
        return self._begun.is_set()

    def request(self, reason: str) -> None:
        """Begin the shutdown; a second request ends everything at once."""
        if self._begun.is_set():
            log.warning("ending at once", reason=reason)
            self._hurried.set()
            return
        log.info("stopping", reason=reason)
        self._on_begin()
        self._begun.set()

    async def wait(self) -> None:
        """Wait until the shutdown begins."""
        await self._begun.wait()

    async def unless_hurried(self, work: Coroutine[Any, Any, object]) -> None:
        """Wait for ``work``; a second request cancels it."""
        task = asyncio.create_task(work)
        hurry = asyncio.create_task(self._hurried.wait())
        try:
            await asyncio.wait({task, hurry}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            hurry.cancel()
            await asyncio.wait({task, hurry})

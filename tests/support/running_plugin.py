"""A plugin that runs without a worker, in a recording context."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from tests.support.context import RecordingContext


class RunningPlugin:
    """A plugin that runs as a task, and its context, which learns how the task ends."""

    def __init__(self, plugin: Any, ctx: RecordingContext) -> None:
        self.ctx = ctx
        self.task = asyncio.create_task(self._run(plugin))

    async def _run(self, plugin: Any) -> None:
        try:
            await plugin.run()
        except Exception as error:
            self.ctx.end(repr(error))
            raise

    async def ending(self) -> BaseException:
        """Wait until the account ends by itself; return why."""
        await asyncio.wait({self.task}, timeout=10)
        error = self.task.exception()
        assert error is not None
        return error

    async def stop(self) -> None:
        """End the account as its worker does."""
        self.task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self.task
        await self.ctx.close()

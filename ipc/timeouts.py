"""Limits the time of a block of code, on every Python, also in a task being cancelled.

And of the end of tasks: ``cancel_all``.

``asyncio.timeout`` of Python 3.11.0 to 3.11.2 (Debian 12 has 3.11.2) raises ``TimeoutError`` only
in a task that nothing else has cancelled. In clean-up after a cancellation, or after a failed
``TaskGroup`` (which leaves one behind), it raises ``CancelledError`` instead, which passes every
``except TimeoutError``. From 3.11.3 on it counts only its own cancellation.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any

MENDED_IN = (3, 11, 3)


class Timeout(asyncio.Timeout):  # type: ignore[misc]  # final for others; this puts it right
    """A timeout that also works if the task had been cancelled before it was entered."""

    async def __aenter__(self) -> Timeout:
        task = asyncio.current_task()
        self._before = 0 if task is None else task.cancelling()
        await super().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await super().__aexit__(kind, error, trace)
        task = asyncio.current_task()
        assert task is not None
        ours = self.expired() and task.cancelling() <= self._before
        if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error


def _timeout(delay: float | None) -> asyncio.Timeout:
    """Return a timeout ``delay`` seconds from now; ``None``: none."""
    loop = asyncio.get_running_loop()
    return Timeout(None if delay is None else loop.time() + delay)


timeout, timeout_at = (
    (asyncio.timeout, asyncio.timeout_at) if sys.version_info >= MENDED_IN else (_timeout, Timeout)
)


async def cancel_all(tasks: Iterable[asyncio.Task[Any]], deadline: float | None) -> None:
    """Cancel tasks, and wait until they have ended, at most until ``deadline`` (loop time)."""
    running = set(tasks)
    for task in running:
        task.cancel()
    if running:
        left = None if deadline is None else deadline - asyncio.get_running_loop().time()
        await asyncio.wait(running, timeout=left)

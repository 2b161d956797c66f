"""Waits for a state of objects in the same loop that report no change."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Let the loop turn until ``condition`` holds; ``TimeoutError`` after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event: that is what this is for
            await asyncio.sleep(0)


def eventfds() -> set[str]:
    """Return the open files of this process that wake a thread.

    The thread of watchfiles closes its own a moment after its watch has ended.
    """
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # another thread has closed it
            if "eventfd" in os.readlink(path):
                found.add(path.name)
    return found

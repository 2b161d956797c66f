"""Waits for a condition of objects in the same event loop that report no changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 30.0  # seconds; ten times and more of what anything here takes, beside other work


async def until(condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Run the event loop until ``condition`` holds; ``TimeoutError`` after ``seconds``.

    Returns what it gave then: asked once more, another process may give something else.
    """
    async with asyncio.timeout(seconds):
        while not (found := condition()):  # noqa: ASYNC110 - there is no event: that is why
            await asyncio.sleep(0)
    return found

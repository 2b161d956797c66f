"""Waits for a condition of objects in the same event loop that report no changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 30.0  # seconds; ten times and more of what anything here takes, beside other work


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Run the event loop until ``condition`` holds; ``TimeoutError`` after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event: that is what this is for
            await asyncio.sleep(0)

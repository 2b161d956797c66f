"""Reports the end of work that is to last as long as its process.

A task of which nothing awaits the end can end without a trace: what it did is not done any
more, and no one is told. Each process reports it where its operator looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def lifelong(
    name: str, work: Awaitable[object], on_end: Callable[[str, BaseException | None], None]
) -> None:
    """Await ``work``; call ``on_end(why, error)`` when it ends, unless its task is cancelled.

    ``why`` is a phrase with ``name`` in it; ``error`` is the exception, which is not raised.
    """
    error: BaseException | None = None
    try:
        await work
        how = "it returned"
    except asyncio.CancelledError as cancelled:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        how, error = "it was cancelled by what it awaits", cancelled
    except Exception as raised:  # noqa: BLE001 - whatever it is, it is reported
        how, error = repr(raised), raised
    on_end(f"{name} has ended ({how})", error)

"""Reports the unexpected end of tasks that should last as long as their process.

A task that nothing awaits can end unnoticed, and its work is no longer done. Each process reports
that where operators see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def lifelong(
    name: str, work: Awaitable[object], on_end: Callable[[str, BaseException | None], None]
) -> None:
    """Await ``work``; call ``on_end(why, error)`` if it ends without being cancelled.

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

"""Runs slow work in one thread, off the event loop.

Work that reads, checks or writes a whole file runs here, one job after the other, so that
neither a large configuration nor a slow disk delays the accounts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Offload:
    """A single worker thread, started with the first job."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="offload")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``work`` in the thread; return its result or raise its exception."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Refuse further work and drop waiting jobs; a running one is finished."""
        self._thread.shutdown(wait=False, cancel_futures=True)

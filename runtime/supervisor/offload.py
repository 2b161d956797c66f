"""Runs slow work off the loop, in one thread.

Whatever reads, checks or writes a whole file runs here, one thing after the other, so that
neither a large configuration nor a slow disk holds up the accounts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Offload:
    """One thread; it is started with the first work."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="offload")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of ``work``, done in the thread; raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Take no more work and drop what waits; what runs is finished."""
        self._thread.shutdown(wait=False, cancel_futures=True)

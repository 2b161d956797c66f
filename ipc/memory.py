"""Returns freed memory to the kernel where the allocator would keep it.

The memory of many long texts lies in the heap between blocks that are still in use. Of its own
accord the allocator returns only the free end of the heap.
"""

from __future__ import annotations

import asyncio
import ctypes

PAUSE = 0.5  # seconds, in which what is over lets go of its memory, and more of the same may come


def trim_heap() -> None:
    """Return whole pages of freed memory to the kernel, malloc_trim(3); some milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)


class FreedMemory:
    """Counts what was freed, and returns memory to the kernel once that is ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._length = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, length: int) -> None:
        """Count bytes or characters that are in no use any more."""
        self._length += length
        if self._length >= self._most and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._trim)

    def close(self) -> None:
        """Stop returning freed memory to the kernel."""
        if self._timer is not None:
            self._timer.cancel()

    def _trim(self) -> None:
        self._timer = None
        self._length = 0
        trim_heap()

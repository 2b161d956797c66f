"""Notices that a peer fills our memory with a message that never ends, and ends that.

ZeroMQ hands a message on once its last part is there, and keeps the parts until then: neither
``MAXMSGSIZE`` nor the high-water mark counts them, and nothing above it can see them. What can
be seen is that this process grows by more than it has read.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable

from ipc.zeromq.link import Router

LIMIT_BYTES = 64 * 1024 * 1024
PEER_BYTES = 256 * 1024  # a worker's credit: what it may have sent and we not read yet
LOOK = 0.5  # seconds between two looks: one read of a small file
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Growth:
    """Adds up by how much a process grows beyond what explains it."""

    def __init__(self) -> None:
        self._rss = self._explained = 0
        self.bytes = 0

    def look(self, rss: int, explained: int) -> int:
        """Take the resident memory and what explains it so far, in bytes; return the excess.

        ``explained`` only ever grows; what it explains may stay or go.
        """
        if self._rss:
            more = rss - self._rss - max(0, explained - self._explained)
            self.bytes = max(0, self.bytes + more)
        self._rss, self._explained = rss, max(explained, self._explained)
        return self.bytes

    def restart(self, rss: int) -> None:
        """Begin anew from this resident memory."""
        self._rss, self.bytes = rss, 0


class FloodGuard:
    """Closes a router and binds it anew when this process grows by far more than was read.

    ``held()`` returns how many bytes other parts of this process account for. ``on_rebound()``
    is called after each new binding: every peer connects again. ``floods`` counts those that
    gave the memory back, so that a link was the cause, and ``flooded_at`` is the loop's time of
    the last one. Growth of another cause costs one new binding for every 64 MiB.
    """

    def __init__(
        self,
        router: Router,
        on_rebound: Callable[[], None],
        on_warning: Callable[[str], None],
        *,
        held: Callable[[], int] = lambda: 0,
        rss: Callable[[], int | None] | None = None,
    ) -> None:
        self._router = router
        self._on_rebound = on_rebound
        self._on_warning = on_warning
        self._held = held
        self._most_held = 0
        self._rss = rss or rss_bytes
        self._growth = Growth()
        self._loop = asyncio.get_running_loop()
        self.floods = 0
        self.flooded_at: float | None = None
        self._timer = self._loop.call_later(LOOK, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK, self._look)
        rss = self._rss()
        if rss is None or self._router.closed:
            return
        self._most_held = max(self._most_held, self._held())
        excess = self._growth.look(rss, self._router.bytes_read + self._most_held)
        if excess > LIMIT_BYTES + PEER_BYTES * self._router.known:
            self._end(rss, excess)

    def _end(self, before: int, excess: int) -> None:
        self._router.rebind()
        _trim()
        after = self._rss() or before
        self._growth.restart(after)
        if before - after > excess // 2:
            self.floods += 1
            self.flooded_at = self._loop.time()
            freed = (before - after) >> 20
            self._on_warning(
                f"link flooded: unfinished messages filled {freed} MiB; every worker connects anew"
            )
        self._on_rebound()


def rss_bytes() -> int | None:
    """Return the resident memory of this process, ``None`` where it cannot be read."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as statm:
            return int(statm.read(128).split()[1]) * _PAGE
    except OSError:
        return None


def _trim() -> None:
    """Give freed memory back to the kernel: small parts lie in the heap, malloc_trim(3)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)

"""Detects and ends floods: peers that fill our memory with unfinished messages.

ZeroMQ delivers a message once its last part is there, and keeps the parts until then: neither
``MAXMSGSIZE`` nor the high-water mark counts them, and they are invisible to us. Only the growth of
this process beyond what it has read is visible. Connections that wait to be read take memory, too,
which ends with them: those are read first, because the cure for a flood is felt by every worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ipc.memory import trim_heap
from ipc.procfs import rss_bytes
from ipc.zeromq.router import Router

LIMIT_BYTES = 64 * 1024 * 1024
PEER_BYTES = 256 * 1024  # a worker's credit: it may have sent so much that is not read yet
CHECK_SECONDS = 0.5  # between two checks: one read of a small file
LOOK_SECONDS = 0.05  # between two looks at memory that has grown by too much
DRY_LOOKS = 2  # with all handshakes read: at the first, ZeroMQ's thread may not have freed them yet
LOOKS = 80  # at most, where handshakes come faster than they are read
HUGE = 4  # times the limit: so much is ended at once
REFUSALS = 256  # of handshakes, after which their memory is returned; each took 32 KiB for a moment


class Growth:
    """Sums up the unexplained growth of a process."""

    def __init__(self) -> None:
        self._rss = self._explained = 0
        self.bytes = 0

    def record(self, rss: int, explained: int) -> int:
        """Record the resident memory and the explained bytes so far; return the excess in bytes.

        ``explained`` only grows; the memory that it explains may be kept or freed.
        """
        if self._rss:
            more = rss - self._rss - max(0, explained - self._explained)
            self.bytes = max(0, self.bytes + more)
        self._rss, self._explained = rss, max(explained, self._explained)
        return self.bytes

    def restart(self, rss: int) -> None:
        """Start again from this resident memory."""
        self._rss, self.bytes = rss, 0


class FloodGuard:
    """Rebinds a router when this process grows by far more than was read.

    ``held()`` returns how many bytes other parts of this process account for. ``on_rebound()`` is
    called after each rebind, after which all peers reconnect. ``floods`` counts rebinds that freed
    the memory, so that a link was the cause. Growth of another cause costs one rebind for every
    64 MiB.
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
        self._refused = router.refused
        self._looks = self._dry_looks = 0  # in a row at memory that has grown by too much
        self._loop = asyncio.get_running_loop()
        self.floods = 0
        self._timer = self._loop.call_later(CHECK_SECONDS, self._check_again)

    def close(self) -> None:
        """Stop checking."""
        self._timer.cancel()

    def _check_again(self) -> None:
        self._timer = self._loop.call_later(CHECK_SECONDS, self._check_again)
        if self._router.closed:
            return
        if self._router.refused - self._refused >= REFUSALS:
            self._refused = self._router.refused
            trim_heap()
        rss = self._rss()
        if rss is None:
            return
        self._most_held = max(self._most_held, self._held())
        excess = self._growth.record(rss, self._router.bytes_read + self._most_held)
        most = LIMIT_BYTES + PEER_BYTES * self._router.known
        if excess <= most:
            self._looks = self._dry_looks = 0
        elif excess > HUGE * most or self._looks >= LOOKS or self._dry_looks >= DRY_LOOKS:
            self._looks = self._dry_looks = 0
            self._end(rss, excess)
        else:
            self._relieve()

    def _relieve(self) -> None:
        """Free the memory of connections that wait to be read, and look again soon."""
        self._looks += 1
        if self._router.settle():
            self._dry_looks += 1
            trim_heap()
        self._timer.cancel()
        self._timer = self._loop.call_later(LOOK_SECONDS, self._check_again)

    def _end(self, before: int, excess: int) -> None:
        self._router.rebind()
        trim_heap()
        after = self._rss() or before
        self._growth.restart(after)
        if before - after > excess // 2:
            self.floods += 1
            freed = (before - after) >> 20
            self._on_warning(
                f"link flooded: unfinished messages filled {freed} MiB; every worker connects anew"
            )
        self._on_rebound()

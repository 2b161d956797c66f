"""Shares the files that the process may open, and reports when none are left.

Each socket is a file. Without shares the first peers to open sockets could take them all, and the
event loop would then accept and close every other client silently (libuv does). So sockets that
prove nothing have one share, clients have another, and the gateway keeps the rest. If files run out
all the same, that is logged, counted, and reported to the supervisor, whose status shows it.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Callable

import msgspec
import structlog

OWN = 64  # files of the gateway itself: links, pipes, its state
KEPT_FREE = 8  # descriptors of the limit that sockets do not take
LEAST = 16  # sockets that prove nothing, however few files there are
LEAST_CLIENTS = 8  # the supervisor's session among them; its own files are about 30 then, not 64
CHECK_SECONDS = 2.0
QUIET_SECONDS = 60.0  # without want of files, until the report is taken back

log = structlog.get_logger("gateway.files")


class FileShares(msgspec.Struct, frozen=True):
    """How many sockets of each kind fit; ``top`` is the first descriptor that is kept free."""

    unproven: int
    clients: int
    top: int


def shares(files: int) -> FileShares:
    """Return the shares of ``files`` descriptors: a quarter is for sockets that prove nothing."""
    unproven = max(LEAST, (files - OWN) // 4)
    clients = max(LEAST_CLIENTS, files - OWN - unproven)
    return FileShares(unproven, clients, max(1, files - KEPT_FREE))


def open_file_limit() -> int:
    """Return how many files this process may open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft


class FileWatch:
    """Checks every two seconds whether files are left.

    ``starved()`` returns how many sockets came when there were none; ``report(warnings)`` is
    called with a warning when none are left, and with nothing when that is over. The kernel
    returns the lowest free descriptor: opening one shows it, whichever process has the others.
    """

    def __init__(
        self, limit: int, starved: Callable[[], int], report: Callable[[list[str]], None]
    ) -> None:
        self._limit = limit
        self._starved = starved
        self._report = report
        self._seen = 0
        self._want: float | None = None  # the loop's time when files were last wanted
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(CHECK_SECONDS, self._check_again)

    @property
    def short(self) -> bool:
        """True while files are, or were lately, wanted."""
        return self._want is not None

    def close(self) -> None:
        """Stop checking."""
        self._timer.cancel()

    def check(self) -> None:
        """Check now whether files are left."""
        now, seen = self._loop.time(), self._starved()
        if seen > self._seen or not _files_left(self._limit):
            if self._want is None:
                log.warning("no files left", limit=self._limit, sockets=seen)
                self._report([_warning(self._limit)])
            self._want = now
        elif self._want is not None and now - self._want >= QUIET_SECONDS:
            self._want = None
            log.info("files left again", limit=self._limit)
            self._report([])
        self._seen = seen

    def _check_again(self) -> None:
        self._timer = self._loop.call_later(CHECK_SECONDS, self._check_again)
        self.check()


def _files_left(limit: int) -> bool:
    try:
        fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # EMFILE; ENFILE is as bad
        return False
    os.close(fd)
    return fd < shares(limit).top


def _warning(limit: int) -> str:
    return (
        f"the gateway has no files left for new clients, of {limit}: some are refused; raise its"
        " limit (ulimit -n, LimitNOFILE=) or see in its metrics who holds the sockets"
    )

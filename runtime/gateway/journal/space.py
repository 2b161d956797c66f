"""Keeps disk space for the journal: a reserve file, and a floor of free space.

With a full disk SQLite cannot even make room: to delete, or to move its log into the file, it
has to write. So a reserve is kept that can be given away then. And the journal stops before the
last bytes are gone, because what stops an account for good must still get to disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

from ipc.files import open_to_write

RESERVE_BYTES = 8 * 1024 * 1024
FLOOR_BYTES = 16 * 1024 * 1024
OPEN_BYTES = 256 * 1024  # of the log and its index, at the start
SHARE = 20  # of a small disk, at most so much of it is kept free
CHECK_SECONDS = 1.0


class Space:
    """The disk space for the file ``path``. Blocks; runs on the writer's thread."""

    def __init__(self, path: Path, floor_bytes: int = FLOOR_BYTES) -> None:
        self._reserve = path.with_name(f"{path.name}-reserve")
        self._directory = path.parent
        self._floor = floor_bytes
        self._looked = float("-inf")

    def require(self) -> None:
        """Raise ``OSError`` (ENOSPC) if free space is below the floor."""
        now = time.monotonic()
        if now - self._looked < CHECK_SECONDS:
            return
        free, total = self._free_bytes()
        if free < min(self._floor, total // SHARE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._looked = now

    def release(self) -> None:
        """Remove the reserve, and check again before the next commit."""
        self._looked = float("-inf")
        with contextlib.suppress(OSError):
            self._reserve.unlink(missing_ok=True)

    def release_if_full(self) -> None:
        """Remove the reserve if there is no room for what SQLite creates to open the file."""
        with contextlib.suppress(OSError):
            if self._free_bytes()[0] < OPEN_BYTES:
                self.release()

    def reserve(self) -> None:
        """Create the reserve if it is missing or incomplete and the disk has ample space."""
        with contextlib.suppress(OSError):
            if self._is_reserved or self._free_bytes()[0] < 4 * (RESERVE_BYTES + self._floor):
                return
            fd = open_to_write(self._reserve, os.O_TRUNC)
            try:
                os.posix_fallocate(fd, 0, RESERVE_BYTES)
            finally:
                os.close(fd)

    @property
    def _is_reserved(self) -> bool:
        return self._reserve.exists() and self._reserve.stat().st_size >= RESERVE_BYTES

    def _free_bytes(self) -> tuple[int, int]:
        found = os.statvfs(self._directory)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

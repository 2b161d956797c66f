"""Identifies a socket file, which a later one of the same name may have replaced."""

from __future__ import annotations

import os
from pathlib import Path

SocketIdentity = tuple[int, int, int]


def identity(path: Path) -> SocketIdentity | None:
    """Return device, inode and creation time (ns) of a socket file; ``None`` if there is none.

    The inode alone is not enough: the kernel gives the number of a removed file to a new one. Of a
    socket file, which is never written, the time of the last write is that of bind(2).
    """
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns

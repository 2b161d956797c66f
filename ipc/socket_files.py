"""Makes socket files, and tells one from a later one of the same name."""

from __future__ import annotations

import os
import socket
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


def bind_private(path: Path) -> socket.socket:
    """Return a socket bound to ``path`` that only its owner may use, from the beginning."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock

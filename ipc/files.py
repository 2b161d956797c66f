"""Writes, locks and sets aside small files that must survive a crash.

These functions block, for code that runs without an event loop; ``StateFile`` saves a value off
the loop.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

PRIVATE = 0o600


def write_atomically(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Replace ``path`` by ``data``; after the return it is on disk, or ``OSError`` is raised.

    Readers see the old file or the new one, never a part (rename(2)); the directory is
    flushed too, so that the new name survives a power cut (fsync(2)).
    """
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(fd, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # a failed write(2) names no file
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Flush the names in a directory to the disk (fsync(2))."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def move_aside(path: Path, why: str, beside: Iterable[str] = ()) -> Path:
    """Rename a file and those with the suffixes ``beside``; return its new path.

    The new name ends in ``.<why>-<epoch seconds>``. Missing files are skipped; raises ``OSError``.
    """
    aside = path.with_name(f"{path.name}.{why}-{int(time.time())}")
    for end in ("", *beside):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).replace(aside.with_name(aside.name + end))
    return aside


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that a person can repair it; return its new path.

    It uses ``move_aside``; a file that cannot be renamed stays.
    """
    try:
        return move_aside(path, "damaged") if os.path.lexists(path) else path
    except OSError:
        return path


def is_named(path: Path, fd: int) -> bool:
    """Return whether ``path`` still names the open file ``fd`` (device and inode, stat(2)).

    It does not after the file was rotated, replaced or removed: then text written to it is lost,
    and a lock on it excludes nobody.
    """
    try:
        named = os.stat(path)
    except OSError:
        return False
    return os.path.samestat(named, os.fstat(fd))


def lock(path: Path, *, wait: bool) -> int:
    """Lock a file; return the descriptor that holds the lock until it is closed.

    A missing file is created, accessible by its owner only. Without ``wait`` a lock that another
    process holds raises ``BlockingIOError``. The lock is the kernel's (flock(2)), so it ends with
    the process in any case. If the file is replaced during the wait, the new one is locked. Raises
    ``OSError``.
    """
    return _lock(path, os.O_RDWR | os.O_CREAT, wait)


def lock_directory(path: Path, *, wait: bool) -> int:
    """Lock a directory as ``lock`` does a file; a missing one is not created."""
    return _lock(path, os.O_RDONLY | os.O_DIRECTORY, wait)


def _lock(path: Path, flags: int, wait: bool) -> int:
    while True:
        fd = os.open(path, flags | os.O_CLOEXEC, PRIVATE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_named(path, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)

"""Writes, locks and sets aside small files that must survive a crash.

These functions block, for code that runs without an event loop; ``StateFile`` saves a value off
the loop.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

PRIVATE = 0o600
READ_BYTES = 64 * 1024 * 1024  # of a small file; a larger one is not ours


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name ``path`` in each ``OSError`` of the block, instead of a temporary file or no file."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def read_regular(path: Path, most: int = READ_BYTES) -> bytes:
    """Return the content of a file; raises ``OSError`` at once for what is no file, or too large.

    A named pipe would have no end before another process writes into it, a device none at all.
    """
    with _open_regular(path) as fd:
        if os.fstat(fd).st_size > most:
            raise OSError(errno.EFBIG, "it is too large", str(path))
        with open(fd, "rb", closefd=False) as file:
            return file.read(most)


def read_beginning(path: Path, count: int) -> bytes:
    """Return the first bytes of a file; raises ``OSError`` at once for what is no file."""
    with _open_regular(path) as fd:
        return os.read(fd, count)


def open_to_write(path: str | Path, flags: int = 0) -> int:
    """Open a file for writing, created if it is missing, and return its descriptor.

    ``flags`` are further ones of open(2). Raises ``OSError``, also for a named pipe in its place:
    opening it must not wait for a reader.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | flags, PRIVATE)


@contextlib.contextmanager
def _open_regular(path: Path) -> Iterator[int]:
    """Open a file for reading, and yield its descriptor. Raises ``OSError`` for what is no file."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
            raise OSError(number, "it is not a file", str(path))
        yield fd
    finally:
        os.close(fd)


def write_atomically(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Replace ``path`` by ``data``; after the return it is on disk, or ``OSError`` is raised.

    Readers see the old file or the new one, never a part (rename(2)); the directory is
    flushed too, so that the new name survives a power cut (fsync(2)).
    """
    fresh = write_beside(path, data, mode=mode)
    try:
        with naming(path):
            fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def create_atomically(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Write a new file; raises ``FileExistsError`` if there is one, which stays unchanged."""
    fresh = write_beside(path, data, mode=mode)
    try:
        with naming(path):
            os.link(fresh, path)  # unlike a rename, a link never replaces
    finally:
        fresh.unlink()
    sync_directory(path.parent)


def write_beside(
    path: Path, data: bytes, *, mode: int = PRIVATE, owner: tuple[int, int] | None = None
) -> Path:
    """Write ``data`` to a new file in the directory of ``path``, and to disk; return its path.

    ``owner`` are the ids of its user and group.
    """
    with naming(path):
        fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(fd, "wb") as file:
                file.write(data)
                file.flush()
                if owner is not None and owner != (os.geteuid(), os.getegid()):
                    os.fchown(fd, *owner)
                os.fchmod(fd, mode)
                os.fsync(fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    return Path(name)


def sync_directory(directory: Path) -> None:
    """Flush the names in a directory to the disk (fsync(2))."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def move_aside(
    path: Path, why: str, beside: Iterable[str] = (), *, at: float | None = None
) -> Path:
    """Rename a file and those with the suffixes ``beside``; return its new path.

    The new name ends in ``.<why>-<epoch seconds>``, which are those of ``at`` or of now. Missing
    files are skipped; raises ``OSError``.
    """
    aside = path.with_name(f"{path.name}.{why}-{int(time.time() if at is None else at)}")
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

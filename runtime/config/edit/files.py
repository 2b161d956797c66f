"""Writes configuration files: whole or not at all, and for their owner only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

PRIVATE_FILE = 0o600  # the file may hold tokens
PRIVATE_DIR = 0o700


def make_private(directory: Path) -> None:
    """Make ``directory``, with its parents, for its owner only; one that exists stays as it is."""
    directory.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)


def create(path: Path, text: str) -> None:
    """Write a new file; ``FileExistsError`` when there is one already, which stays untouched."""
    fresh = _write_beside(path, text.encode(), PRIVATE_FILE)
    try:
        os.link(fresh, path)  # unlike a rename, a link never replaces
    finally:
        fresh.unlink()
    _sync(path.parent)


def replace(path: Path, text: str) -> None:
    """Replace the text of a file, keeping its mode and owner; the old one stays as ``.bak``."""
    path = path.resolve()  # a link to the file stays a link
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    owner = found.st_uid, found.st_gid
    old = path.read_bytes()
    for target, data in ((path.with_name(f"{path.name}.bak"), old), (path, text.encode())):
        fresh = _write_beside(path, data, mode, owner)
        try:
            fresh.replace(target)
        except OSError:
            fresh.unlink()
            raise
    _sync(path.parent)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Let one edit at a time happen in ``directory``; waits for another one to end."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _write_beside(path: Path, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> Path:
    """Write ``data`` to a temporary file in the same directory, down to the disk."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            if owner and owner != (os.geteuid(), os.getegid()):
                os.fchown(fd, *owner)
            os.fchmod(fd, mode)
            os.fsync(fd)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return fresh


def _sync(directory: Path) -> None:
    """Put the directory's new entry on the disk too."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

"""Reads and writes configuration files, atomically and readable for their owner only."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ipc.files import create_atomically, lock_directory, naming, sync_directory, write_beside
from ipc.permissions import reason
from runtime.config.errors import ConfigError, Problem, config_error

MAX_BYTES = 4 * 1024 * 1024  # 10,000 accounts are about 2 MB; a wrong path may be a huge file
SUFFIXES = (".json5", ".json", ".toml")
MOUNTED = "the file is mounted by itself (a bind mount)"
PRIVATE_DIR = 0o700


def read_text(path: Path) -> str:
    """Return the text of the file at ``path``; raises ``ConfigError`` with the reason."""
    if path.suffix not in SUFFIXES:
        text = f"the name ends in {path.suffix!r}; allowed: {', '.join(SUFFIXES)}"
        raise config_error(path, text)
    try:
        if not path.is_file() and path.exists():
            raise config_error(path, "is not a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise config_error(path, f"cannot be read: {reason(error)}") from None
    check_size(path, len(data))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].count(b"\n") + 1
        problem = Problem("", f"is not UTF-8 text: byte 0x{data[error.start]:02x}", before)
        raise ConfigError(str(path), [problem]) from None


def check_size(path: Path, size: int) -> None:
    """Raise ``ConfigError`` if the size exceeds the limit of ``read_text``."""
    if size > MAX_BYTES:
        raise config_error(path, f"is larger than {MAX_BYTES} bytes, the most that is allowed")


def make_private(directory: Path) -> None:
    """Create ``directory`` and its parents for their owner only; existing ones are unchanged."""
    directory.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)


def create(path: Path, text: str) -> None:
    """Write a new file; raises ``FileExistsError`` if there is one, which stays unchanged."""
    create_atomically(path, text.encode())


def replace(path: Path, text: str) -> None:
    """Replace the text of a file, keeping its mode and owner; keep the old file as ``.bak``.

    A file that is mounted by itself has no other name to be replaced by (EBUSY): it is written in
    place, once the copy is on disk. Raises ``OSError``; the file then has its old text.
    """
    path = path.resolve()  # a link to the file stays a link
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    owner = found.st_uid, found.st_gid
    old = path.read_bytes()
    for target, data in ((path.with_name(f"{path.name}.bak"), old), (path, text.encode())):
        fresh = write_beside(path, data, mode=mode, owner=owner)
        try:
            with naming(target):
                fresh.replace(target)
        except OSError as error:
            fresh.unlink()
            if target != path or error.errno not in (errno.EBUSY, errno.EXDEV):
                raise
            sync_directory(path.parent)  # the copy counts from here on
            _write_in_place(path, data, old)
    sync_directory(path.parent)


def is_mounted(path: Path) -> bool:
    """Return whether the file itself is a mount point (proc_pid_mountinfo(5))."""
    name = os.fsencode(path.resolve())
    for special in b"\\ \t\n":  # the backslash first, which the others bring
        name = name.replace(bytes([special]), b"\\%03o" % special)
    try:
        with open("/proc/self/mountinfo", "rb") as mounts:
            return any(line.split(b" ")[4] == name for line in mounts)
    except OSError:
        return False


def _write_in_place(path: Path, data: bytes, old: bytes) -> None:
    """Overwrite a file; if that fails halfway, restore its old text as far as possible."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            _overwrite(fd, data)
        except OSError:
            with contextlib.suppress(OSError):
                _overwrite(fd, old)
            raise
    finally:
        os.close(fd)


def _overwrite(fd: int, data: bytes) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(fd, data[done:], done)
    os.ftruncate(fd, len(data))
    os.fsync(fd)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock for edits of the file at ``path``; wait until it is free.

    The lock is on the directory, because an edit replaces the file. Raises ``ConfigError``.
    """
    try:
        fd = lock_directory(path.resolve().parent, wait=True)
    except OSError as error:
        raise config_error(path, f"cannot be read: {reason(error)}") from None
    try:
        yield
    finally:
        os.close(fd)

"""A file that only one supervisor holds, and who that is.

The lock is the kernel's (flock(2)): it ends with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import msgspec


class Owner(msgspec.Struct, frozen=True):
    """Who holds a lock, as written into its file. ``since`` is epoch seconds."""

    pid: int
    since: int
    state_dir: str = ""


class Held(Exception):
    """Another process holds the lock; ``owner`` is ``None`` where its file does not say who."""

    def __init__(self, path: Path, owner: Owner | None) -> None:
        super().__init__(f"{path} is held by {named(owner)}")
        self.owner = owner


class Lock:
    """Holds the file at ``path`` from ``take`` to ``release``, for the runtime of ``state_dir``."""

    def __init__(self, path: Path, state_dir: Path) -> None:
        self._path = path
        self._state_dir = state_dir
        self._file: int | None = None

    def take(self) -> None:
        """Raises ``Held`` when another process holds it, ``OSError`` when it cannot be made."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            owner = Owner(os.getpid(), int(time.time()), str(self._state_dir))
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, msgspec.json.encode(owner), 0)
        except BaseException as error:
            self.release()
            if isinstance(error, BlockingIOError):
                raise Held(self._path, _owner(self._path)) from None
            raise

    def release(self) -> None:
        """Let it go; the file stays, since another may be waiting at it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def named(owner: Owner | None) -> str:
    """Return who holds a lock, as an operator wants to know it."""
    if owner is None:
        return "another process"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since))
    return f"the supervisor with pid {owner.pid}, up since {since},"


def _owner(path: Path) -> Owner | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Owner)
    except (OSError, msgspec.DecodeError):
        return None

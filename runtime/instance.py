"""One supervisor per state directory, and the number of its boot.

The lock is the kernel's (flock(2)): it ends with the process, however that ends. The boot
counter makes every incarnation number of this boot larger than all earlier ones.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import time
from pathlib import Path
from types import TracebackType

import msgspec

from ipc.files import write_atomically

INCARNATIONS_BITS = 20  # a million starts of one account per boot


class Owner(msgspec.Struct, frozen=True):
    """Who holds a state directory, as written into the lock file. ``since`` is epoch seconds."""

    pid: int
    since: int


class InstanceHeld(Exception):
    """Another supervisor runs on the state directory."""

    def __init__(self, state_dir: Path, owner: Owner | None) -> None:
        who = "another process"
        if owner is not None:
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since))
            who = f"the supervisor with pid {owner.pid}, up since {since},"
        super().__init__(f"{who} already runs on {state_dir}; `trunkline down` ends it")
        self.state_dir = state_dir
        self.owner = owner


class Instance:
    """Holds the state directory while in its ``with`` block.

    Raises ``InstanceHeld`` when another supervisor does, ``OSError`` when the directory
    cannot be written.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        # Every run of this state directory begins alike, so that the next finds what it left.
        self.runs = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:16]
        self.run_id = f"{self.runs}-{secrets.token_hex(8)}"
        self.boot = 0
        self._lock: int | None = None

    @property
    def first_incarnation(self) -> int:
        """The number before this boot's first incarnation of every child."""
        return self.boot << INCARNATIONS_BITS

    def __enter__(self) -> Instance:
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(self.state_dir, 0o700)
        path = self.state_dir / "supervisor.lock"
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._own(path)
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def _own(self, path: Path) -> None:
        assert self._lock is not None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstanceHeld(self.state_dir, _owner(path)) from None
        owner = msgspec.json.encode(Owner(os.getpid(), int(time.time())))
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, owner, 0)
        self.boot = self._count_boot()

    def _count_boot(self) -> int:
        """Return the next boot number, once it is on disk: two boots must never share one."""
        path = self.state_dir / "boot"
        boot = _last_boot(path) + 1
        write_atomically(path, f"{boot}\n".encode())
        return boot

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _last_boot(path: Path) -> int:
    """Return the number of the last boot; where it is lost, one larger than any it can be."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return 0
    # Minutes since 1970: no supervisor boots more often. Counting from 0 again would make
    # late news of this boot look like news of an earlier one.
    return int(text) if text.strip().isdigit() else int(time.time() / 60)


def _owner(path: Path) -> Owner | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Owner)
    except (OSError, msgspec.DecodeError):
        return None

"""Prevents a second supervisor on the same directories, and counts boots.

Two supervisors on a state directory would run each account twice. Two on a runtime directory would
replace each other's sockets, so that workers and operators of the first would connect to the
second. The locks are the kernel's (flock(2)), so they end with their process in any case. The boot
counter makes every incarnation number of this boot larger than all earlier ones.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import msgspec

from ipc.endpoints import SocketPaths
from ipc.errors import EndpointError
from ipc.files import is_named, lock, read_regular, write_atomically
from ipc.nesting import MALFORMED, decode_json
from ipc.permissions import reason
from runtime.config.places import Places
from runtime.supervisor.run_id import new_run_id, runs_of

INCARNATIONS_BITS = 20  # a million starts of one account per boot
BOOT_DIGITS = 9  # of more boots the incarnations would be no exact numbers of JSON, 2**53
MOST_BOOTS = 10**BOOT_DIGITS // 2  # leaves room to count on
BOOT = "boot"
JOURNAL = "journal.db"  # the gateway's, which names incarnations
LOCK = "supervisor.lock"
SOCKETS_LOCK = "sockets.lock"  # not that of the state directory: one may be the other


class LockOwner(msgspec.Struct, frozen=True):
    """The supervisor that holds a lock, as written in its file; ``since`` is in epoch seconds."""

    pid: int
    since: int
    state_dir: str = ""


class LockHeld(Exception):
    """Another process holds the lock; ``owner`` is ``None`` if the file does not name it."""

    def __init__(self, path: Path, owner: LockOwner | None) -> None:
        super().__init__(f"{path} is held by {describe(owner)}")
        self.owner = owner


class OwnedLock:
    """A lock file at ``path``, held from ``acquire`` to ``release``, that names its holder."""

    def __init__(self, path: Path, state_dir: Path) -> None:
        self._path = path
        self._state_dir = state_dir
        self._file: int | None = None

    def acquire(self) -> None:
        """Lock the file and write the holder into it.

        Raises ``LockHeld`` if another process holds it, ``OSError`` if it cannot be created. On a
        full disk the holder is not written.
        """
        try:
            self._file = lock(self._path, wait=False)
        except BlockingIOError:
            raise LockHeld(self._path, _read_owner(self._path)) from None
        owner = msgspec.json.encode(LockOwner(os.getpid(), int(time.time()), str(self._state_dir)))
        with contextlib.suppress(OSError):  # a full disk: it is locked, only its owner has no name
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, owner, 0)

    def ensure(self) -> str | None:
        """Lock the file again if it was removed or replaced; return what prevents that.

        A lock on an unlinked file excludes no process: another supervisor would create the
        file again and run beside this one.
        """
        old = self._file
        if old is None or is_named(self._path, old):
            return None
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.acquire()
        except LockHeld as error:
            self._file = old
            return (
                f"{self._path} was removed, and {describe(error.owner)} has taken it: two"
                " supervisors run on the same directory; end one of them"
            )
        except OSError as error:
            self._file = old
            return f"{self._path} was removed and cannot be made again: {reason(error)}"
        os.close(old)
        return None

    def release(self) -> None:
        """Unlock the file, without removing it, because another process may wait for the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class InstanceHeld(Exception):
    """Another supervisor already runs on the state directory."""

    def __init__(self, state_dir: Path, owner: LockOwner | None) -> None:
        super().__init__(f"{describe(owner)} already runs on {state_dir}; `trunkline down` ends it")
        self.state_dir = state_dir
        self.owner = owner


class Instance:
    """Locks the state directory for its ``with`` block.

    ``run_id`` is the id of this run if it has one already; all run ids of a state directory begin
    with ``runs``. Raises ``InstanceHeld`` if another supervisor has the directory, ``OSError`` if
    it cannot be written.
    """

    def __init__(self, state_dir: Path, run_id: str | None = None) -> None:
        self.state_dir = state_dir
        self.runs = runs_of(state_dir)
        self.run_id = new_run_id(state_dir) if run_id is None else run_id
        self.boot = 0
        self._lock = OwnedLock(state_dir / LOCK, state_dir)
        self._locks = [self._lock]
        self._unwritten: int | None = None  # the boot number, until it is on disk

    @property
    def first_incarnation(self) -> int:
        """The number before this boot's first incarnation of every child."""
        return self.boot << INCARNATIONS_BITS

    def ensure_locks(self) -> list[str]:
        """Lock removed lock files again (see ``OwnedLock.ensure``); return the warnings.

        A boot number that did not fit on a full disk is written as soon as there is room.
        """
        if self._unwritten is not None and _write_boot(self.state_dir / BOOT, self._unwritten):
            self._unwritten = None
        return [warning for lock in self._locks if (warning := lock.ensure()) is not None]

    def skip_incarnations(self, newest: int) -> None:
        """Make all incarnations of later boots larger than those of another host up to ``newest``.

        It may have counted further since, as its clients know. Raises ``OSError`` if that cannot be
        written.
        """
        boot = min(newest >> INCARNATIONS_BITS, MOST_BOOTS)
        if boot >= self.boot:
            boot = max(boot, _boot_by_clock())
            if not _write_boot(self.state_dir / BOOT, boot):
                raise OSError(f"{self.state_dir / BOOT} cannot be written")
            self.boot = boot

    def add_lock(self, lock: OwnedLock) -> None:
        """Add another lock of this supervisor to those that ``ensure_locks`` checks."""
        self._locks.append(lock)

    def check(self) -> None:
        """Raise ``InstanceHeld`` if another supervisor has the directory; creates nothing."""
        path = self.state_dir / LOCK
        if path.exists():
            try:
                os.close(lock(path, wait=False))
            except BlockingIOError:
                raise InstanceHeld(self.state_dir, _read_owner(path)) from None

    def __enter__(self) -> Instance:
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(self.state_dir, 0o700)
        try:
            self._lock.acquire()
        except LockHeld as error:
            raise InstanceHeld(self.state_dir, error.owner) from None
        try:
            self.boot = self._count_boot()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def _count_boot(self) -> int:
        """Return the next boot number, saved if possible: two boots must not share one."""
        path = self.state_dir / BOOT
        boot = _last_boot(path) + 1
        if not _write_boot(path, boot):
            # A full or read-only disk: the accounts run all the same. As where the number was lost.
            boot = max(boot, _boot_by_clock())
            self._unwritten = boot
        return boot


@contextmanager
def claim_sockets(places: Places, instance: Instance | None = None) -> Iterator[None]:
    """Create and lock the runtime directory for the block; ``instance`` keeps the lock.

    Raises ``EndpointError`` if that fails or another supervisor has it.
    """
    places.unlink_run_dir()
    SocketPaths(places.run_dir).prepare()
    lock = OwnedLock(places.run_dir / SOCKETS_LOCK, places.state_dir)
    try:
        lock.acquire()
    except LockHeld as error:
        of = f" of {error.owner.state_dir}" if error.owner and error.owner.state_dir else ""
        raise EndpointError(
            f"{places.run_dir}: {describe(error.owner)} has its sockets{of} there;"
            " set TRUNKLINE_RUNTIME_DIR to another directory, or to none"
        ) from None
    if instance is not None:
        instance.add_lock(lock)
    try:
        yield
    finally:
        lock.release()


def describe(owner: LockOwner | None) -> str:
    """Return a phrase for the holder of a lock, the subject of a sentence."""
    if owner is None:
        return "another process"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since))
    return f"the supervisor with pid {owner.pid}, up since {since},"


def state_dir_of(pid: int) -> Path | None:
    """Return the state directory of the supervisor with the process id ``pid``.

    ``None`` if it is not a supervisor, or this user may not inspect it (proc_pid_fd(5)).
    """
    try:
        for each in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                path = Path(os.readlink(f"/proc/{pid}/fd/{each}"))
                if path.name == LOCK and path.is_absolute():
                    return path.parent
    except OSError:
        pass
    return None


def _read_owner(path: Path) -> LockOwner | None:
    try:
        return decode_json(read_regular(path), LockOwner)
    except (OSError, *MALFORMED):
        return None


def _last_boot(path: Path) -> int:
    """Return the number of the last boot; if it is lost, one larger than it can have been."""
    try:
        text = read_regular(path)
    except FileNotFoundError:  # of a new directory, unless the journal of another was put into it
        return _boot_by_clock() if (path.parent / JOURNAL).exists() else 0
    except PermissionError:  # another user's, as root may have left it: the next write replaces it
        return _boot_by_clock()
    # Counting from 0 again would make late news of this boot look like news of an earlier one.
    digits = text.strip()
    return int(digits) if digits.isdigit() and len(digits) <= BOOT_DIGITS else _boot_by_clock()


def _boot_by_clock() -> int:
    """Return the minutes since 1970, since no supervisor boots more than once a minute."""
    return int(time.time() / 60)


def _write_boot(path: Path, boot: int) -> bool:
    """Write the number of this boot; return whether it is on disk.

    On a full disk it overwrites the old one in place, which needs no new block. If a power cut
    leaves no valid number, ``_last_boot`` handles that.
    """
    data = f"{boot}\n".encode()
    try:
        write_atomically(path, data)
    except OSError:
        pass
    else:
        return True
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # no wait for a pipe
        try:
            os.pwrite(fd, data, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError:
        return False
    return True

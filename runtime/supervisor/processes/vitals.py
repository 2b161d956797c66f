"""Reads data about processes from /proc; returns ``None`` for what is not available.

A missing figure must never end the supervisor: ``/proc`` may be hidden or incomplete, and the
process may end at any moment.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ipc.procfs import stat_fields

if TYPE_CHECKING:
    import psutil

STOPPED = "stopped"  # psutil.STATUS_STOPPED
VMSTAT = Path("/proc/vmstat")
EXEC_SECONDS = 0.1  # waited at most for a program to have its arguments; typically below 5 ms

T = TypeVar("T")


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time used so far in seconds, of user and system."""
    return _or_none(lambda: float(sum(_process(pid).cpu_times()[:2])))


def share_percent(used: float, seconds: float) -> float | None:
    """Return the CPU use as a percentage of a core: ``used`` CPU seconds in ``seconds``.

    It is never negative, even if two clocks disagree; ``None`` if no time has passed.
    """
    return round(100 * max(0.0, used) / seconds, 1) if seconds > 0 else None


def state(pid: int) -> str | None:
    """Return the state as psutil names it, for example ``STOPPED``."""
    return _or_none(lambda: str(_process(pid).status()))


def parent_of(pid: int) -> int | None:
    """Return the pid of the parent (proc_pid_stat(5)), also of a zombie."""
    return _or_none(lambda: int(stat_fields(pid)[1]))


def children_of(parent: int) -> list[int]:
    """Return the pids of the children of ``parent``, including zombies."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if parent_of(pid) == parent]


def own_children() -> set[int]:
    """Return the living children of this process, without reading all of /proc."""
    found: set[int] = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError, ValueError):
            found |= set(map(int, listed.read_text().split()))
    return found


def marks(pid: int) -> list[bytes]:
    """Return each ``NAME=value`` of a process's initial environment.

    Forks of our own processes do not show theirs (see ``prctl.forbid_inspection``), but their
    arguments, among which the same mark stands. A process in the middle of execve(2) shows neither
    for some milliseconds on a busy host, and is waited for: it would pass for a stranger. Raises
    ``OSError``.
    """
    directory = Path(f"/proc/{pid}")
    deadline = time.monotonic() + EXEC_SECONDS
    try:
        found = (directory / "environ").read_bytes()
        while not found and time.monotonic() < deadline:
            executing = _in_execve(pid)  # before the environment: it may end in between
            found = (directory / "environ").read_bytes()
            if not executing:
                break
            time.sleep(0.001)
    except PermissionError:
        found = (directory / "cmdline").read_bytes()
    return found.split(b"\0")


def _in_execve(pid: int) -> bool:
    """Return whether a process has a program (no thread of the kernel) without an environment yet.

    The 51st field of stat is where the environment ends, 0 until there is one (proc_pid_stat(5)).
    """
    with contextlib.suppress(FileNotFoundError):
        Path(f"/proc/{pid}/exe").readlink()
        return stat_fields(pid)[51 - 3] == b"0"
    return False


def is_marked(pid: int, variable: str) -> bool:
    """Return whether ``NAME=value`` is among the ``marks`` of a process."""
    return _or_none(lambda: variable.encode() in marks(pid)) or False


class MemoryKills:
    """Detects that the kernel has killed processes because memory ran out.

    The kernel reports no pid, only a count (``oom_kill`` in /proc/vmstat, including control
    groups). A SIGKILL that coincides with a higher count is assumed to be one of these: a hint,
    which is all there is unless each worker has its own control group.
    """

    def __init__(self, vmstat: Path = VMSTAT) -> None:
        self._vmstat = vmstat
        self._last = self._count()

    def increased(self) -> bool:
        """Return whether the kernel has killed any process for memory since the last call."""
        before, self._last = self._last, self._count()
        return self._last > before

    def _count(self) -> int:
        with contextlib.suppress(OSError):
            for line in self._vmstat.read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill" and value.isdigit():
                    return int(value)
        return 0


def _process(pid: int) -> psutil.Process:
    import psutil  # 10 ms that no start need wait for

    return psutil.Process(pid)


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Exception:  # noqa: BLE001 - psutil lets OSError and ValueError of odd kernels through
        return None

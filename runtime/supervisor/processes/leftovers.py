"""What an earlier supervisor of the same state directory left behind when it was killed.

Its children end with it (PR_SET_PDEATHSIG), but not what those had started. Each of these
still has the run id in its environment, by which it is found here before anything is started:
it might hold a port, or the one session that a platform allows an account.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

RUN_ID = "TRUNKLINE_RUN_ID"
GRACE = 1.0  # seconds between SIGTERM and SIGKILL
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A process of an earlier run. ``pidfd`` is open: whoever takes it closes it."""

    pid: int
    pidfd: int
    command: str


def find(runs: str, *, but: str = "") -> list[Leftover]:
    """Return the processes of this user whose run id begins with ``runs``: not ourselves, and
    not those of the run ``but``.
    """
    own = _ancestry(os.getpid())
    found = []
    for name in os.listdir(PROC):
        if name.isdigit() and int(name) not in own:
            leftover = _look(int(name), runs, but)
            if leftover is not None:
                found.append(leftover)
    return found


def sweep(runs: str, grace: float = GRACE, *, but: str = "") -> list[Leftover]:
    """End what an earlier run left behind; return it. Blocks for twice ``grace`` at most.

    Signals go through pidfds, which cannot reach a stranger that got the pid meanwhile; a
    stopped process is continued, or it would not notice.
    """
    found = find(runs, but=but)
    try:
        for leftover in found:
            _signal(leftover, signal.SIGTERM)
            _signal(leftover, signal.SIGCONT)
        left = _wait(found, grace)
        for leftover in left:
            _signal(leftover, signal.SIGKILL)
        _wait(left, grace)
    finally:
        for leftover in found:
            os.close(leftover.pidfd)
    return found


def _look(pid: int, runs: str, but: str) -> Leftover | None:
    """Return the process if it is one of those. First the pidfd: what is read then is of it."""
    directory = PROC / str(pid)
    try:
        if directory.stat().st_uid != os.geteuid():
            return None
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        environ = (directory / "environ").read_bytes()
        wanted, spared = f"{RUN_ID}={runs}".encode(), f"{RUN_ID}={but}".encode()
        if any(each.startswith(wanted) and each != spared for each in environ.split(b"\0")):
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ")
            return Leftover(pid, pidfd, command.decode(errors="replace").strip()[:200])
    except OSError:
        pass
    os.close(pidfd)
    return None


def _ancestry(pid: int) -> set[int]:
    """Return ``pid`` and its ancestors: we may have been started from inside a worker."""
    found = set()
    while pid > 1 and pid not in found:
        found.add(pid)
        try:
            stat = (PROC / str(pid) / "stat").read_bytes()
            pid = int(stat.rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return found


def _signal(leftover: Leftover, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(leftover.pidfd, number)


def _wait(leftovers: list[Leftover], within: float) -> list[Leftover]:
    """Return those that are still there after so many seconds."""
    deadline = time.monotonic() + within
    left = []
    for leftover in leftovers:
        poll = select.poll()
        poll.register(leftover.pidfd, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            left.append(leftover)
    return left

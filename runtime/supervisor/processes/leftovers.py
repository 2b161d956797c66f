"""Finds and ends processes left behind by an earlier supervisor of the same state directory.

Its children end with it (PR_SET_PDEATHSIG), but not the processes that those had started. These
still have the run id in their environment or, for forks that hide it, in their arguments. They are
ended by the zygote as soon as the supervisor has died (``end_run``), and again before anything is
started (``sweep``), because the zygote may have died, too. They might hold a port, or the only
session of an account.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ipc.helpers import RUN_ID
from runtime.supervisor.processes.termination import end_all
from runtime.supervisor.processes.vitals import marks, parent_of

GRACE = 1.0  # seconds between SIGTERM and SIGKILL
PASSES = 20  # over all processes, when a run is ended: what is killed may just have forked
PROC = Path("/proc")


class Leftover(msgspec.Struct, frozen=True):
    """A process of an earlier run. ``pidfd`` is open: the receiver closes it."""

    pid: int
    pidfd: int
    command: str


def find(runs: str, *, but: str = "") -> list[Leftover]:
    """Return the processes of this user whose run id begins with ``runs``.

    This process, its ancestors, and the processes of the run ``but`` are left out.
    """
    own = _ancestry(os.getpid())
    found = []
    for name in os.listdir(PROC):
        if name.isdigit() and int(name) not in own:
            leftover = _inspect(int(name), runs, but)
            if leftover is not None:
                found.append(leftover)
    return found


def sweep(runs: str, grace: float = GRACE, *, but: str = "") -> list[Leftover]:
    """End the leftovers of an earlier run; return them (see ``termination.end_all``).

    ``grace`` is in seconds; the call blocks.
    """
    found = find(runs, but=but)
    try:
        end_all([leftover.pidfd for leftover in found], grace)
    finally:
        for leftover in found:
            os.close(leftover.pidfd)
    return found


def end_run(run_id: str) -> None:
    """Kill all processes of the run of a supervisor that has died, including new ones.

    It is called by that run's zygote, which is spared; see ``runtime.zygote.server``.
    """
    assert run_id  # or it would mean every run of every daemon
    for _ in range(PASSES):
        if not sweep(run_id, 0.0):
            return


def _inspect(pid: int, runs: str, but: str) -> Leftover | None:
    """Return the process if it is a leftover; a pidfd is opened first, against reuse of the pid."""
    directory = PROC / str(pid)
    try:
        if directory.stat().st_uid != os.geteuid():
            return None
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        wanted, spared = f"{RUN_ID}={runs}".encode(), f"{RUN_ID}={but}".encode()
        if any(each.startswith(wanted) and each != spared for each in marks(pid)):
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ")
            return Leftover(pid, pidfd, command.decode(errors="replace").strip()[:200])
    except OSError:
        pass
    os.close(pidfd)
    return None


def _ancestry(pid: int) -> set[int]:
    """Return ``pid`` and its ancestors: we may have been started from inside a worker."""
    found: set[int] = set()
    parent: int | None = pid
    while parent is not None and parent > 1 and parent not in found:
        found.add(parent)
        parent = parent_of(parent)
    return found

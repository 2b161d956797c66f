"""Ends processes that are not children of ours: SIGTERM, a grace period, then SIGKILL.

Signals are sent through pidfds, which cannot reach another process that reuses the pid.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable

KILL_WITHIN = 1.0  # seconds for the kernel to end what was killed


def end_all(pidfds: Iterable[int], grace: float) -> None:
    """End processes; blocks for at most ``grace`` seconds and one more.

    A stopped one is continued, or it would not notice the SIGTERM. Processes of other users are
    left alone, and are not waited for. The caller closes the pidfds.
    """
    ending = [pidfd for pidfd in pidfds if _signal(pidfd, signal.SIGTERM)]
    for pidfd in ending:
        _signal(pidfd, signal.SIGCONT)
    left = still_running(ending, grace)
    for pidfd in left:
        _signal(pidfd, signal.SIGKILL)
    still_running(left, KILL_WITHIN)


def still_running(pidfds: Iterable[int], within: float) -> list[int]:
    """Wait until all have ended, for at most ``within`` seconds; return those that have not."""
    deadline = time.monotonic() + within
    left = []
    for pidfd in pidfds:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            left.append(pidfd)
    return left


def kill_and_reap(pid: int) -> bool:
    """Kill one of our children and reap it, within a second; return whether it was reaped.

    A traced process can only be reaped once its tracer has taken its exit or has ended
    (ptrace(2)), so it may remain for a later attempt.
    """
    with contextlib.suppress(ProcessLookupError, ChildProcessError, PermissionError):
        pidfd = os.pidfd_open(pid)  # our own child: unreaped, so the pid is its own
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            still_running([pidfd], KILL_WITHIN)
            return os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG) is not None
        finally:
            os.close(pidfd)
    return False


def kill_and_reap_all(pids: Iterable[int]) -> int:
    """Kill our children and reap them; return how many were reaped.

    All are killed before the first is reaped, and remaining ones are tried once more: one of
    them may have traced another.
    """
    left = list(pids)
    gone = 0
    for pid in left:
        _kill(pid)
    for _ in range(2):
        before, left = left, [pid for pid in left if not kill_and_reap(pid)]
        gone += len(before) - len(left)
    return gone


def reap_if_ended(pid: int) -> bool:
    """Reap one of our children if it has ended; return whether it had."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is not None
    except ChildProcessError:
        return False


def _kill(pid: int) -> None:
    """Send SIGKILL to a child of ours, where that is possible."""
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(pid)
        try:
            _signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)


def _signal(pidfd: int, number: int) -> bool:
    """Send a signal; return whether that was possible."""
    try:
        signal.pidfd_send_signal(pidfd, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True

"""Finds which child of this supervisor a process descends from.

A process cannot leave the tree below us: every orphan is adopted by the nearest subreaper above it
(prctl(2)), which is its worker or the supervisor. So walking up the parents is enough, unless one
of them ends meanwhile.
"""

from __future__ import annotations

import os
import select

from runtime.supervisor.processes.vitals import parent_of

DEEPEST = 10_000  # processes above one another: more are a loop of pids that were given anew
WALKS = 5  # tries: an ancestor that ends during one hands its children to the next above


def child_above(pid: int) -> int | None:
    """Return the child of this process that ``pid`` is or descends from; ``None`` if none.

    Raises ``ProcessLookupError`` if ending processes make that impossible to find out.
    """
    for _ in range(WALKS):
        found, whole = _walk(pid)
        if whole:
            return found
    raise ProcessLookupError(f"the processes above {pid} cannot be determined")


def has_ended(pidfd: int) -> bool:
    """Return whether the process of a pidfd has ended."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _walk(pid: int) -> tuple[int | None, bool]:
    """Return the child above ``pid``, and whether the walk was completed."""
    own, below = os.getpid(), None
    for _ in range(DEEPEST):
        if pid == own:
            return below, True
        parent = parent_of(pid)
        if parent is None:
            return None, False
        if parent == 0:  # the first process of this host or container
            return None, True
        below, pid = pid, parent
    return None, False

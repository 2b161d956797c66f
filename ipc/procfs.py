"""Reads files of processes below /proc, for every package (proc_pid_stat(5))."""

from __future__ import annotations

import os

MOST_BELOW = 1000  # processes that are looked at: one that forks without end must not delay us
_PAGE = os.sysconf("SC_PAGE_SIZE")


def stat_fields(pid: int | str = "self") -> list[bytes]:
    """Return the fields of a process's ``stat`` from the third one on, its state.

    The second one, the command, may contain anything; what follows its last parenthesis does not.
    Raises ``OSError``.
    """
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return stat.read().rpartition(b")")[2].split()


def rss_bytes(pid: int | str = "self") -> int | None:
    """Return the resident memory of a process in bytes; ``None`` if it cannot be read."""
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as statm:
            return int(statm.read(128).split()[1]) * _PAGE
    except OSError:
        return None


def pss_bytes(pid: int | str = "self") -> int | None:
    """Return the proportional share of memory in bytes: shared pages are divided by their users.

    ``None`` if it cannot be read. The kernel walks all pages for it (proc_pid_smaps_rollup(5)), too
    slow for every beat.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb", buffering=0) as rollup:
            line = next(each for each in rollup.read(4096).splitlines() if each[:4] == b"Pss:")
            return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def anonymous_bytes(pid: int | str = "self") -> int | None:
    """Return the anonymous resident memory of a process in bytes (not part of a file, not shared).

    The kernel shows it for every process. For one that shares no memory it is nearly all of it.
    ``None`` if it cannot be read.
    """
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as statm:
            resident, shared = map(int, statm.read(128).split()[1:3])
    except (OSError, ValueError):
        return None
    return (resident - shared) * _PAGE


def children(pid: int | str = "self") -> list[int]:
    """Return the pids of the children of a process, which proc_tid_children(5) lists by thread."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as listed:
                found += map(int, listed.read().split())
    except (OSError, ValueError):  # it has ended, or the kernel was built without these files
        pass
    return found


def descendants(pid: int | str = "self") -> list[int]:
    """Return the pids of the processes below one, or ``MOST_BELOW`` of them.

    One whose parent has ended is below none of the others any more.
    """
    found: list[int] = []
    parents: list[int | str] = [pid]
    while parents and len(found) < MOST_BELOW:
        more = children(parents.pop())
        found += more
        parents += more
    return found[:MOST_BELOW]


def tree_rss_bytes() -> int | None:
    """Return the resident memory of this process and those below it; ``None`` if it is unknown."""
    own = rss_bytes()
    return None if own is None else own + sum(rss_bytes(each) or 0 for each in descendants())


def tree_pss_bytes() -> int | None:
    """Return the proportional share of this process and those below it; ``None`` if it is unknown.

    One below whose share is hidden, since it has another user, counts with its anonymous memory.
    """
    own = pss_bytes()
    if own is None:
        return None
    return own + sum(pss_bytes(each) or anonymous_bytes(each) or 0 for each in descendants())

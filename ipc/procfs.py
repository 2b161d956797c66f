"""Reads files of processes below /proc, for every package (proc_pid_stat(5))."""

from __future__ import annotations

import os

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

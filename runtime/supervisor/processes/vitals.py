"""What the kernel says about a process of ours; ``None`` when it says nothing.

Separate because a figure for a table must never end the supervisor: ``/proc`` may be hidden
or half there, and the process may be gone between two looks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import psutil

STOPPED = "stopped"  # psutil.STATUS_STOPPED
_PAGE = os.sysconf("SC_PAGE_SIZE")

T = TypeVar("T")


def rss_bytes(pid: int) -> int | None:
    """Return the resident memory."""

    def read() -> int:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * _PAGE

    return _ask(read)


def pss_bytes(pid: int) -> int | None:
    """Return the proportional share of memory: what is shared is divided among its users.

    Walks the whole page table (proc_pid_smaps_rollup(5)): not for every beat.
    """

    def read() -> int:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
            line = next(line for line in rollup if line.startswith(b"Pss:"))
        return int(line.split()[1]) * 1024

    return _ask(read)


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time used so far, of user and system."""
    return _ask(lambda: float(sum(_process(pid).cpu_times()[:2])))


def state(pid: int) -> str | None:
    """Return psutil's word for the state, ``STOPPED`` say."""
    return _ask(lambda: str(_process(pid).status()))


def _process(pid: int) -> psutil.Process:
    import psutil  # 10 ms that no start need wait for

    return psutil.Process(pid)


def _ask(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except Exception:  # noqa: BLE001 - psutil lets OSError and ValueError of odd kernels through
        return None

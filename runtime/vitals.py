"""What the kernel says about a process of ours; ``None`` when it says nothing.

Separate because a figure for a table must never end the supervisor: ``/proc`` may be hidden
or half there, and the process may be gone between two looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import psutil

STOPPED: str = psutil.STATUS_STOPPED

T = TypeVar("T")


def rss_bytes(pid: int) -> int | None:
    """Return the resident memory."""
    return _ask(lambda: int(psutil.Process(pid).memory_info().rss))


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
    return _ask(lambda: float(sum(psutil.Process(pid).cpu_times()[:2])))


def state(pid: int) -> str | None:
    """Return psutil's word for the state, ``STOPPED`` say."""
    return _ask(lambda: str(psutil.Process(pid).status()))


def _ask(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except Exception:  # noqa: BLE001 - psutil lets OSError and ValueError of odd kernels through
        return None

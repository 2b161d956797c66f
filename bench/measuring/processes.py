"""Reads the cost of processes from /proc: CPU of all threads, proportional memory.

``schedstat`` counts nanoseconds on a CPU per thread, exactly; the tick-based figures of
``stat`` would be 10 ms apart. PSS divides what is shared by those who share it, so the
figures of many forked processes may be added.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil


def cpu_ns(pid: int) -> int:
    """Return the nanoseconds that all living threads of ``pid`` have run; 0 when it is gone."""
    total = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def pss_bytes(pid: int) -> int:
    """Return the proportional set size of ``pid``; raises ``OSError`` when it is gone."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no Pss of process {pid}")


def family(pid: int) -> list[int]:
    """Return ``pid`` and all processes below it."""
    root = psutil.Process(pid)
    return [pid, *(child.pid for child in root.children(recursive=True))]

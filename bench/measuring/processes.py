"""Reads the cost of processes from /proc: CPU of all threads, proportional memory.

``schedstat`` counts nanoseconds on a CPU per thread, exactly; the tick-based figures of
``stat`` would be 10 ms apart. PSS divides what is shared by those who share it, so the
figures of many forked processes may be added.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

CAP_SYS_PTRACE = 19  # capabilities(7)
WINDOW = 0.5  # seconds
QUIET_PERCENT = 3.0  # of a core, of each process in one window


def may_measure() -> bool:
    """Return whether this process may read the memory of processes hidden from their user."""
    status = Path("/proc/self/status").read_text().splitlines()
    (held,) = (int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    return bool(held & 1 << CAP_SYS_PTRACE)


def must_measure() -> None:
    """Exit with an error message if ``may_measure`` is false."""
    if not may_measure():
        sys.exit(
            "This reads memory and open files of Trunkline's processes, which hide them from"
            " their own user (docs/isolation.md): run it as root."
        )


def cpu_ns(pid: int) -> int:
    """Return the CPU time in ns of all living threads of ``pid``; 0 if it is gone."""
    total = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def pss_bytes(pid: int) -> int:
    """Return the proportional set size of ``pid``; raises ``OSError`` if it is gone."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no Pss of process {pid}")


class Peak:
    """The highest RSS of a process from now on; raises ``OSError`` if it is gone."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def mib(self) -> float:
        """Return the increase over the initial RSS in MiB."""
        return (self._read("VmHWM") - self._before) / 1024

    def now_mib(self) -> float:
        """Return how much the present RSS is above the initial one in MiB."""
        return (self._read("VmRSS") - self._before) / 1024

    def _read(self, name: str) -> int:
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        raise OSError(f"no {name} of process {self._pid}")


def family(pid: int) -> list[int]:
    """Return ``pid`` and all processes below it."""
    root = psutil.Process(pid)
    return [pid, *(child.pid for child in root.children(recursive=True))]


async def until_quiet(pids: Sequence[int], windows: int = 2, within: float = 60.0) -> None:
    """Wait until each of ``pids`` has been nearly idle for ``windows`` intervals in a row.

    What is measured at rest must not begin amid what a start leaves to be done. Raises
    ``TimeoutError`` after ``within`` seconds.
    """
    ends, quiet = time.monotonic() + within, 0
    while quiet < windows:
        if time.monotonic() > ends:
            raise TimeoutError(f"processes {list(pids)} were not quiet within {within:g} s")
        began, before = time.monotonic(), [cpu_ns(pid) for pid in pids]
        await asyncio.sleep(WINDOW)
        passed = time.monotonic() - began
        used = [cpu_ns(pid) - spent for pid, spent in zip(pids, before, strict=True)]
        quiet = quiet + 1 if max(used) / passed / 1e7 < QUIET_PERCENT else 0

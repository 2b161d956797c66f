"""Whether the kernel has ended a process for want of memory.

It says so to nobody, but it counts (``oom_kill`` in /proc/vmstat, for limits of control groups
too). A SIGKILL that comes together with a higher count is taken for one of these: a hint, which
is all there is without a control group of each worker's own.
"""

from __future__ import annotations

from pathlib import Path

VMSTAT = Path("/proc/vmstat")


class MemoryKills:
    """Compares the count with that of the last look."""

    def __init__(self, vmstat: Path = VMSTAT) -> None:
        self._vmstat = vmstat
        self._last = self._count()

    def more(self) -> bool:
        """Say whether the kernel has ended any process since the last look."""
        before, self._last = self._last, self._count()
        return self._last > before

    def _count(self) -> int:
        try:
            text = self._vmstat.read_text()
        except OSError:
            return 0
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill" and value.isdigit():
                return int(value)
        return 0

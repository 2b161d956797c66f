"""Returns the time in the unit of messages and records, and detects that the clock was set."""

from __future__ import annotations

import time

STEP_MS = 1_000  # a smaller difference is none: clocks are adjusted, and two reads take time


def now_ms() -> int:
    """Return the host's time in milliseconds since the epoch."""
    return int(time.time() * 1000)


def uptime_ms() -> int:
    """Return the milliseconds since the host's start, with those in which it slept."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class SetClock:
    """Reads the host's time, and detects that its clock was set.

    What waits for a time would otherwise wait as much longer as the clock was set back, or be over
    where it was set forward.
    """

    def __init__(self) -> None:
        self._offset = now_ms() - uptime_ms()

    def read(self) -> tuple[int, int]:
        """Return the time, and by how much the clock was set since the last call; 0: it was not."""
        now = now_ms()
        offset = now - uptime_ms()
        step = offset - self._offset
        if abs(step) < STEP_MS:
            return now, 0
        self._offset = offset
        return now, step

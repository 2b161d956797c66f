"""Measures the age of what is stored, by a clock that may be wrong.

What is deleted because it seems to be old does not come back when the clock is set right. A host
whose battery is empty, or a machine that was restored, has the wrong time for some minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ipc.epoch import uptime_ms

STEP_SECONDS = 3600.0  # forward: what is less makes nothing old that matters
DOUBT_SECONDS = 86400.0  # of uptime, after which the host's clock counts again
LONG_SECONDS = 30 * 86400.0  # without a message, before which the host was off or its clock right


class AgeClock:
    """Epoch seconds by which ages are measured: those of the host's clock, unless it seems ahead.

    Where that was set forward, or is far beyond ``newest``, the time of the newest message when
    this process began, time goes on from before for a day. ``clock()`` returns epoch seconds,
    ``uptime()`` seconds that only grow.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], float] = lambda: uptime_ms() / 1000,
    ) -> None:
        self._clock, self._uptime = clock, uptime
        self._doubted: float | None = None  # since then, by uptime
        self._time: float | None = None
        self._at = 0.0  # the uptime at which it was ``_time``

    @property
    def has_begun(self) -> bool:
        """Whether ``begin`` was called."""
        return self._time is not None

    def begin(self, newest: float | None) -> None:
        """Begin with the time of the newest message; ``None`` for none."""
        now, self._at = self._clock(), self._uptime()
        is_far = newest is not None and now - newest > LONG_SECONDS
        self._time = newest if is_far else now

    def read(self) -> float:
        """Return the time."""
        now, at = self._clock(), self._uptime()
        expected = now if self._time is None else self._time + at - self._at
        if now - expected <= STEP_SECONDS:
            self._doubted = None
        elif self._doubted is None:
            self._doubted = at
        doubted = self._doubted is not None and at - self._doubted < DOUBT_SECONDS
        self._time, self._at = expected if doubted else now, at
        return self._time


def arrival_times(times: list[int], now: int, following: int | None = None) -> list[int]:
    """Return the times of some rows in the order of their arrival, without any of the future.

    Such a row was written by a clock that was ahead, and has come before the next one that was not.
    ``following`` is the time of one behind all of them.
    """
    found, next_time = list(times), following
    for index in reversed(range(len(found))):
        if found[index] > now and next_time is not None:
            found[index] = min(found[index], next_time)
        next_time = found[index]
    return found

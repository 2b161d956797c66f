"""Folds repetitions of a line into one line and a count. Pure.

It has no timer: repetitions are reported when another line comes, and periodically while they
continue.
"""

from __future__ import annotations

REPORT_EVERY = 10.0  # seconds, while a repetition lasts
FORGET_AFTER = 60.0  # a line that comes back after so long is news


class Folding:
    """Folds one stream; ``repeats`` counts unreported repetitions of the last line."""

    def __init__(self) -> None:
        self._last: bytes | None = None
        self._at = 0.0
        self._reported_at = 0.0
        self.repeats = 0

    def fold(self, line: bytes, now: float) -> tuple[int, bool]:
        """Return how many repetitions to report first, and whether to keep this line.

        ``now`` is in seconds of a monotonic clock.
        """
        if line != self._last or now - self._at >= FORGET_AFTER:
            repeats, self.repeats = self.repeats, 0
            self._last, self._at, self._reported_at = line, now, now
            return repeats, True
        self._at = now
        self.repeats += 1
        if now - self._reported_at < REPORT_EVERY:
            return 0, False
        repeats, self.repeats, self._reported_at = self.repeats, 0, now
        return repeats, False

"""The same line again and again is one line and a number. Pure: the time is given.

Without a timer: a repetition is told when another line comes, and now and then while it
lasts, so that what is still going on can be seen.
"""

from __future__ import annotations

TELL_EVERY = 10.0  # seconds, while a repetition lasts
FORGET_AFTER = 60.0  # a line that comes back after so long is news


class Folding:
    """One stream of lines."""

    def __init__(self) -> None:
        self._last: bytes | None = None
        self._at = 0.0
        self._told_at = 0.0
        self.repeats = 0  # of the last line, not told yet

    def take(self, line: bytes, now: float) -> tuple[int, bool]:
        """Return how many repetitions are to be told first, and whether this line is to be kept.

        ``now`` is in seconds and never goes back.
        """
        if line != self._last or now - self._at >= FORGET_AFTER:
            told, self.repeats = self.repeats, 0
            self._last, self._at, self._told_at = line, now, now
            return told, True
        self._at = now
        self.repeats += 1
        if now - self._told_at < TELL_EVERY:
            return 0, False
        told, self.repeats, self._told_at = self.repeats, 0, now
        return told, False

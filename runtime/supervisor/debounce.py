"""When a burst of changes counts as over: after a while of quiet, but not later than a limit.

Without the limit somebody who saves every second would never see a change taken over.
Reads no clock; times are seconds.
"""

from __future__ import annotations

AT_MOST = 10.0


class Debounce:
    """One burst at a time. ``quiet`` and ``at_most`` may be changed at any time."""

    def __init__(self, quiet: float, at_most: float = AT_MOST) -> None:
        self.quiet = quiet
        self.at_most = at_most
        self._first: float | None = None
        self._last = 0.0

    def touch(self, now: float) -> None:
        """Note a change."""
        if self._first is None:
            self._first = now
        self._last = now

    def due(self) -> float | None:
        """Return when the burst is over, ``None`` when there is none."""
        if self._first is None:
            return None
        return min(self._last + self.quiet, self._first + self.at_most)

    def clear(self) -> None:
        """Forget the burst: it has been dealt with."""
        self._first = None

"""Detects that many accounts crash together, which makes a shared cause likely. Pure.

While such a storm lasts starts are paced, and what all accounts share is checked first. Every
method takes the time in seconds.
"""

from __future__ import annotations

import math
from collections import deque

WINDOW = 30.0  # seconds
SHARE = 0.2  # of all accounts
LEAST = 5  # accounts; below that it is chance
STARTS_PER_SECOND = 2.0  # while it lasts


class StormDetector:
    """Counts the accounts that crashed within the last 30 seconds."""

    def __init__(self) -> None:
        self._crashes: deque[tuple[float, str]] = deque()

    def record_crash(self, account: str, now: float) -> None:
        """Record a crash: an end that was not requested."""
        self._crashes.append((now, account))

    def clear(self) -> None:
        """Drop all recorded crashes: their cause is gone."""
        self._crashes.clear()

    def count_crashed(self, now: float) -> int:
        """Return how many different accounts have crashed within the window."""
        while self._crashes and now - self._crashes[0][0] >= WINDOW:
            self._crashes.popleft()
        return len({account for _, account in self._crashes})

    def is_storm(self, accounts: int, now: float) -> bool:
        """Return whether so many of ``accounts`` have crashed that they must share a cause."""
        return self.count_crashed(now) >= max(LEAST, math.ceil(SHARE * accounts))

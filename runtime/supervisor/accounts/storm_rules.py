"""Many accounts that crash together: one shared cause is likelier than many.

While a storm lasts starts are paced, and what all accounts share is looked at first. Pure:
every method takes the time in seconds.
"""

from __future__ import annotations

import math
from collections import deque

WINDOW = 30.0  # seconds
SHARE = 0.2  # of all accounts
LEAST = 5  # accounts; below that it is chance
STARTS_PER_SECOND = 2.0  # while it lasts


class Storm:
    """Counts the accounts that crashed within the last 30 seconds."""

    def __init__(self) -> None:
        self._crashes: deque[tuple[float, str]] = deque()

    def crashed(self, account: str, now: float) -> None:
        """Take note of a crash: an end that nobody asked for."""
        self._crashes.append((now, account))

    def clear(self) -> None:
        """Forget all crashes: what caused them is gone."""
        self._crashes.clear()

    def felled(self, now: float) -> int:
        """Return how many different accounts have crashed lately."""
        while self._crashes and now - self._crashes[0][0] >= WINDOW:
            self._crashes.popleft()
        return len({account for _, account in self._crashes})

    def rages(self, accounts: int, now: float) -> bool:
        """Say whether so many of ``accounts`` have crashed that they must share a cause."""
        return self.felled(now) >= max(LEAST, math.ceil(SHARE * accounts))

"""Counts decisions of the last 24 hours, and remembers the newest reasons. Pure."""

from __future__ import annotations

from collections import Counter, deque

HOUR_MS = 3_600_000
HOURS = 24
NEWEST = 4096  # messages of all accounts, about 1 MiB


class RecentCounts:
    """Counts in hourly buckets, of which the last 24 are kept; ``now`` is in epoch ms."""

    def __init__(self) -> None:
        self._buckets: dict[str, deque[tuple[int, Counter[str]]]] = {}

    def add(self, key: str, reason: str, now: int) -> None:
        """Count a reason once more."""
        hour = now // HOUR_MS
        buckets = self._buckets.setdefault(key, deque(maxlen=HOURS))
        if not buckets or buckets[-1][0] != hour:
            buckets.append((hour, Counter()))
        buckets[-1][1][reason] += 1

    def of(self, key: str, now: int) -> dict[str, int]:
        """Return the counts of reasons, the most frequent first."""
        oldest = now // HOUR_MS - HOURS
        found: Counter[str] = Counter()
        for hour, counts in self._buckets.get(key, ()):
            if hour > oldest:
                found.update(counts)
        return dict(found.most_common())

    def forget(self, key: str) -> None:
        """Drop the counts of a removed account."""
        self._buckets.pop(key, None)


class RecentReasons:
    """The reasons why the newest messages were not answered, by account and platform id."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, str], str] = {}  # the oldest first

    def add(self, key: str, message: str, reason: str) -> None:
        """Remember the reason for a message; the oldest one is dropped if full."""
        self._reasons[key, message] = reason
        if len(self._reasons) > NEWEST:
            del self._reasons[next(iter(self._reasons))]

    def of(self, key: str, message: str) -> str | None:
        """Return the reason for a message, if it is still known."""
        return self._reasons.get((key, message))

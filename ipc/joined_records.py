"""Keeps the newest records, those of one kind as one with a count. Pure.

What is repeated without end (a client that is refused each second, an account that crashes again
and again) would else displace every other record. A repetition joins the record of its kind; and of
groups that differ in each record, by an address, say, the largest one makes room first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

WINDOW_MS = 3_600_000  # what comes back after a longer pause is a record of its own


class JoinedRecords(Generic[T]):
    """At most ``capacity`` records in the order of their last repetition.

    Of one kind the newest ``apart`` stay as they are; the older ones are one record, which
    ``join(older, newer)`` returns; ``None``: these two are too far apart. ``dropped`` counts the
    records that have been removed for others.
    """

    def __init__(self, capacity: int, join: Callable[[T, T], T | None], *, apart: int = 1) -> None:
        self.dropped = 0
        self._capacity = capacity
        self._join = join
        self._apart = apart
        self._number = 0
        self._records: dict[int, tuple[Hashable, Hashable, T]] = {}  # kind, group, record
        self._kinds: dict[Hashable, tuple[int, ...]] = {}
        self._groups: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[T]:
        """Iterate over the records, the oldest first."""
        return (record for _, _, record in self._records.values())

    @property
    def newest(self) -> T | None:
        """The newest record; ``None`` without any."""
        return next(reversed(self._records.values()))[2] if self._records else None

    def add(self, record: T, kind: Hashable, group: Hashable = None) -> T:
        """Add a record; return it, joined with others of its kind if those are one with it now."""
        self._number += 1
        numbers = (*self._kinds.get(kind, ()), self._number)
        self._records[self._number] = kind, group, record
        self._groups[group] += 1
        if len(numbers) > self._apart:
            numbers = self._join_oldest(numbers)
        self._kinds[kind] = numbers
        if len(self._records) > self._capacity:
            self.dropped += 1
            self._remove(self._oldest_of_largest())
        return self._records[self._number][2]

    def _join_oldest(self, numbers: tuple[int, ...]) -> tuple[int, ...]:
        """Join the two oldest records of a kind; return the numbers of those that may be joined.

        The joined record stands in the place of the newer one.
        """
        older, newer, *others = numbers
        kind, group, record = self._records[newer]
        joined = self._join(self._records[older][2], record)
        if joined is not None:
            self._records[newer] = kind, group, joined
            del self._records[older]
            self._groups[group] -= 1
        return (newer, *others)

    def _oldest_of_largest(self) -> int:
        ((largest, _),) = self._groups.most_common(1)
        return next(number for number, (_, group, _) in self._records.items() if group == largest)

    def _remove(self, number: int) -> None:
        kind, group, _ = self._records.pop(number)
        self._groups[group] -= 1
        if not self._groups[group]:
            del self._groups[group]
        left = tuple(each for each in self._kinds.get(kind, ()) if each != number)
        if left:
            self._kinds[kind] = left
        else:
            self._kinds.pop(kind, None)

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

    Of one kind there are at most ``per_kind``, of which the oldest stands for all before it, too:
    ``join(older, newer)`` returns it, or ``None`` where the two are no repetitions. ``dropped``
    counts the records that have been removed for others.
    """

    def __init__(
        self, capacity: int, join: Callable[[T, T], T | None], *, per_kind: int = 1
    ) -> None:
        self.dropped = 0
        self._capacity = capacity
        self._join = join
        self._per_kind = per_kind
        self._records: list[tuple[Hashable, Hashable, T]] = []  # kind, group, record

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[T]:
        """Iterate over the records, the oldest first."""
        return (record for _, _, record in self._records)

    @property
    def newest(self) -> T | None:
        """The newest record; ``None`` without any."""
        return self._records[-1][2] if self._records else None

    def add(self, record: T, kind: Hashable, group: Hashable = None) -> T:
        """Add a record; return it, joined with others of its kind if those are one with it now."""
        records = self._records
        records.append((kind, group, record))
        same = [place for place, (each, _, _) in enumerate(records) if each == kind]
        if len(same) > self._per_kind:
            self._join_places(*same[-self._per_kind - 1 :][:2])
        if len(records) > self._capacity:
            self.dropped += 1
            del records[self._oldest_of_largest()]
        return records[-1][2]

    def _join_places(self, older: int, newer: int) -> None:
        """Join two records of a kind, where the newer one stands."""
        kind, group, record = self._records[newer]
        joined = self._join(self._records[older][2], record)
        if joined is not None:
            self._records[newer] = kind, group, joined
            del self._records[older]

    def _oldest_of_largest(self) -> int:
        groups = [group for _, group, _ in self._records]
        ((largest, _),) = Counter(groups).most_common(1)
        return groups.index(largest)

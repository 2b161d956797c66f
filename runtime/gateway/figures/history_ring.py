"""Keeps figures of all accounts in slots of equal length, a bounded number of them. Pure.

A slot is one ``bytes`` object with a column for each series, in which every account has its place:
18 bytes for an account, where six Python numbers would take 150. Counters, memory: float32. Errors,
restarts, CPU: float16, exact up to 2048, then to a thousandth; so a day of 1,000 accounts is 11.2
MiB. What is not known is NaN.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

Name = Literal["in", "out", "rss", "cpu", "errors", "restarts"]

UNKNOWN = math.nan
MOST_HALF = 65504.0  # the largest float16
SPARE = 64  # places of accounts that are gone, at least, before one of them is given away


class Sample(NamedTuple):
    """The values of one account in one slot; counters have the count within it."""

    messages_in: float = UNKNOWN
    messages_out: float = UNKNOWN
    rss: float = UNKNOWN  # KiB
    cpu: float = UNKNOWN  # percent of a core
    errors: float = UNKNOWN
    restarts: float = UNKNOWN


NAMES: tuple[Name, ...] = ("in", "out", "rss", "cpu", "errors", "restarts")
WIDTHS = (4, 4, 4, 2, 2, 2)  # bytes, of a value of each
COUNTED = frozenset({"in", "out", "errors", "restarts"})  # sums; the others are averages
BYTES = sum(WIDTHS)
_LETTERS = {4: "f", 2: "e"}


class AccountPlace(NamedTuple):
    """The place of an account in slots; before ``since`` the place was another account's."""

    at: int
    since: int


class HistoryRing:
    """The newest ``slots`` slots of ``step_ms`` each, numbered by epoch milliseconds / step.

    ``places`` has where each account stands, those that are gone too. One that was gone and comes
    back is another account.
    """

    def __init__(self, step_ms: int, slots: int) -> None:
        self.step_ms = step_ms
        self.slots = slots
        self.places: dict[str, AccountPlace] = {}
        self._rows: deque[tuple[int, bytes]] = deque(maxlen=slots)
        self._width = 0
        self._gone: dict[str, int] = {}  # the slot from which on there was no such account

    @property
    def newest(self) -> int | None:
        """The number of the newest slot."""
        return self._rows[-1][0] if self._rows else None

    @property
    def rows(self) -> list[tuple[int, bytes]]:
        """The slots with their numbers, the oldest first: a copy, which another thread may read."""
        return list(self._rows)

    def add(self, number: int, samples: Mapping[str, Sample]) -> bytes:
        """Add a slot and return its bytes. Slots of a clock that was ahead are forgotten."""
        self._place(number, samples)
        columns = [[UNKNOWN] * self._width for _ in NAMES]
        for key, sample in samples.items():
            at = self.places[key].at
            for column, value, width in zip(columns, sample, WIDTHS, strict=True):
                column[at] = min(value, MOST_HALF) if width == 2 else value
        row = _packed(columns)
        self._append(number, row)
        return row

    def restore(
        self, places: Mapping[str, AccountPlace], rows: Iterable[tuple[int, bytes]]
    ) -> None:
        """Load the contents of an earlier ring, before anything is added."""
        self.places = dict(places)
        self._width = 1 + max((place.at for place in places.values()), default=-1)
        for number, row in rows:
            self._append(number, row)

    def series(
        self, name: Name, keys: Sequence[str], first: int, count: int
    ) -> list[list[float | None]]:
        """Return the values of each key in slots ``first`` and the following; ``None``: unknown."""
        found: list[list[float | None]] = [[None] * count for _ in keys]
        known = [(n, place) for n, key in enumerate(keys) if (place := self.places.get(key))]
        for number, row in self.rows:
            if 0 <= number - first < count:
                column = column_of(row, name)
                for n, (at, since) in known:
                    if at < len(column) and number >= since:
                        value = column[at]
                        found[n][number - first] = None if value != value else value
        return found

    def joined(self, keys: Sequence[str], first: int, count: int) -> dict[str, Sample]:
        """Join several slots: sums of counters, averages of other values."""
        columns = []
        for name in NAMES:
            rows = self.series(name, keys, first, count)
            columns.append([joined(row, counted=name in COUNTED) for row in rows])
        values = zip(*columns, strict=True)
        return {
            key: Sample(*(UNKNOWN if each is None else each for each in sample))
            for key, sample in zip(keys, values, strict=True)
        }

    def _append(self, number: int, row: bytes) -> None:
        while self._rows and self._rows[-1][0] >= number:
            self._rows.pop()
        self._rows.append((number, row))

    def _place(self, number: int, keys: Iterable[str]) -> None:
        """Assign each account a fixed place: a new one, or that of an account long gone."""
        present = keys if isinstance(keys, Mapping) else set(keys)
        for key, place in self.places.items():
            if key not in present:
                self._gone.setdefault(key, number)
            elif self._gone.pop(key, None) is not None:
                self.places[key] = AccountPlace(place.at, number)
        for key in present:
            if key not in self.places:
                self.places[key] = AccountPlace(self._reusable_place(number, len(present)), number)

    def _reusable_place(self, number: int, present: int) -> int:
        """Return a reusable place for a new account, so that rows do not grow for ever."""
        oldest = min(self._gone, key=self._gone.__getitem__, default=None)
        if oldest is not None and (
            number - self._gone[oldest] >= self.slots or len(self._gone) > max(SPARE, present)
        ):
            del self._gone[oldest]
            return self.places.pop(oldest).at
        self._width += 1
        return self._width - 1


def joined(values: Iterable[float | None], *, counted: bool) -> float | None:
    """Join values of neighbouring slots; ``None`` if none is known."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return sum(known) if counted else sum(known) / len(known)


def column_of(row: bytes, name: Name) -> tuple[float, ...]:
    """Return the values of one series in a slot, by place."""
    place = NAMES.index(name)
    width = len(row) // BYTES
    letter = _LETTERS[WIDTHS[place]]
    found: tuple[float, ...] = struct.unpack_from(
        f"<{width}{letter}", row, width * sum(WIDTHS[:place])
    )
    return found


def _packed(columns: Sequence[Sequence[float]]) -> bytes:
    letters = "".join(
        f"{len(column)}{_LETTERS[width]}" for column, width in zip(columns, WIDTHS, strict=True)
    )
    return struct.pack(f"<{letters}", *(value for column in columns for value in column))

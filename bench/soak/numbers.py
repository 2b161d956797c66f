"""Checks that the numbered messages of every account come complete, in order and once. Pure.

Two numbers are followed. The *cursor* of a message, ``(incarnation, seq)``, is the gateway's:
within one incarnation it grows by one, and a new incarnation begins with 1. The number in the
*text* is that of the program which wrote the message. What does not come must be announced by
``channel.gap``, or belong to the end of an incarnation (``Ledger`` compares that with what
``possiblyLost`` says).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Cursor = tuple[int, int]
Number = tuple[int, int]  # (incarnation or 0, number in the text)
Stream = tuple[str, str]  # account and direction
REMEMBERED = 10_000  # the most numbers of one gap that are known when they come late


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as a client received it. ``number`` is the one in its text, if it has one."""

    account: str
    direction: str
    cursor: Cursor
    redelivered: bool
    number: Number | None


@dataclass(slots=True)
class Sequence:
    """Numbers that must grow; those left out are missing until they come."""

    last: Number | None = None
    late: set[Number] = field(default_factory=set)

    def take(self, number: Number) -> str:
        """Return ``new``, ``again`` or ``late``: a smaller number that has not come before."""
        last = self.last
        if last is None or number > last:
            if last is not None and number[0] == last[0]:
                first = max(last[1] + 1, number[1] - REMEMBERED)
                self.late.update((number[0], each) for each in range(first, number[1]))
            self.last = number
            return "new"
        if number in self.late:
            self.late.discard(number)
            return "late"
        return "again"


@dataclass(frozen=True, slots=True)
class Break:
    """A place in a stream where numbers may be missing: between ``after`` and ``before``.

    ``incarnation`` is the one that ended there; ``None``: the gateway announced a gap.
    """

    after: Number
    before: Number
    incarnation: int | None


class Numbers:
    """What one client has received.

    ``wrong`` are descriptions of the first messages that must not have come so; ``counts`` has
    ``received``, ``reordered``, ``unmarked`` and ``marked`` duplicates, ``untold`` missing
    messages, ``gaps`` that were announced, and ``sent twice``: over the end of a worker, which
    had known the key.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.breaks: defaultdict[Stream, list[Break]] = defaultdict(list)
        self.texts: defaultdict[Stream, Sequence] = defaultdict(Sequence)
        self.first: dict[Stream, Number] = {}
        self._places: dict[str, Cursor] = {}
        self._seen_late: defaultdict[str, Sequence] = defaultdict(Sequence)
        self._told: set[Stream | str] = set()
        self._incarnations: dict[Stream, int] = {}

    def gap(self, account: str) -> None:
        """Note that the gateway announced that messages of this account are missing here."""
        self.counts["gaps"] += 1
        self._told.add(account)
        for direction in ("in", "out"):
            self._told.add((account, direction))

    def take(self, arrival: Arrival) -> None:
        """Check one message."""
        self.counts["received"] += 1
        account, cursor = arrival.account, arrival.cursor
        last = self._places.get(account)
        verdict = self._seen_late[account].take(cursor)
        if verdict == "again":
            self._duplicate(arrival)
            return
        if verdict == "late":
            self._note("reordered", arrival, f"after {last}")
            return
        told = account in self._told
        self._told.discard(account)
        self._places[account] = cursor
        if last is not None and not told:
            expected = last[1] + 1 if cursor[0] == last[0] else 1
            if cursor[1] != expected:
                count = cursor[1] - expected
                self._note("untold", arrival, f"after {last}: {count} missing", count)
        if arrival.number is not None:
            self._text(arrival, arrival.number)

    def _text(self, arrival: Arrival, number: Number) -> None:
        """Check the number in the text of a message whose cursor is new."""
        stream = arrival.account, arrival.direction
        texts = self.texts[stream]
        last, incarnation = texts.last, arrival.cursor[0]
        before = self._incarnations.get(stream, incarnation)
        self._incarnations[stream] = incarnation
        verdict = texts.take(number)
        if verdict == "new":
            self.first.setdefault(stream, number)
            told = stream in self._told
            self._told.discard(stream)
            if last is not None and (told or before != incarnation):
                self.breaks[stream].append(Break(last, number, None if told else before))
        elif verdict == "late":
            self._note("reordered", arrival, f"text {number} after {last}")
        elif before != incarnation and arrival.direction == "out":
            self.counts["sent twice"] += 1
        else:
            self._duplicate(arrival)

    def _duplicate(self, arrival: Arrival) -> None:
        if arrival.redelivered:
            self.counts["marked"] += 1
        else:
            self._note("unmarked", arrival, "came before")

    def _note(self, kind: str, arrival: Arrival, why: str, count: int = 1) -> None:
        self.counts[kind] += count
        if len(self.wrong) < 50:
            self.wrong.append(f"{kind}: {arrival}: {why}")


@dataclass(slots=True)
class Ledger:
    """Counts what was written and never came.

    ``possibly_lost`` is what the status said of each incarnation, by account and incarnation;
    ``None``: that it does not know. ``killed``: incarnations that were ended by force.
    """

    possibly_lost: Mapping[tuple[str, int], int | None]
    killed: set[tuple[str, int]]
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def check(self, numbers: Numbers, written: Mapping[Stream, Iterable[int]]) -> None:
        """Count the missing ones of ``written``: ``told by a gap``, ``told as possibly lost``,
        ``after the last beat`` (of a killed process), and ``untold``.
        """
        ended: Counter[tuple[str, int]] = Counter()
        for stream, all_of_it in written.items():
            if stream not in numbers.first:
                continue
            last = numbers.texts[stream].last
            first = numbers.first[stream]
            late = numbers.texts[stream].late
            assert last is not None
            for number in all_of_it:
                if number < first[1] or (number <= last[1] and (0, number) not in late):
                    continue
                self._one(numbers, stream, number, ended)
        for place, count in ended.items():
            told = self.possibly_lost.get(place, 0)
            if told is None or count <= told:
                self.counts["told as possibly lost"] += count
            elif place in self.killed:
                self.counts["told as possibly lost"] += told
                self.counts["after the last beat"] += count - told
            else:
                self.counts["untold"] += count
                self.wrong.append(f"untold: {count} of {place}, which ended in order; told {told}")

    def _one(
        self, numbers: Numbers, stream: Stream, number: int, ended: Counter[tuple[str, int]]
    ) -> None:
        for each in numbers.breaks[stream]:
            if each.after[1] < number < each.before[1]:
                if each.incarnation is None:
                    self.counts["told by a gap"] += 1
                else:
                    ended[stream[0], each.incarnation] += 1
                return
        self.counts["untold"] += 1
        self.wrong.append(f"untold: {stream} {number}, within an incarnation or at the end")

"""Selects the records of one commit, and measures them against its bounds. Pure.

Every account waits for the commit, and that takes twice as long with the 256 KiB that a flood may
have under way as with what calm accounts bring. So of what one account's worker has handed in it
has ``SHARE_BYTES``; the rest waits for the next one. Where several accounts have more, that is load
and no flood, and it counts how much goes through: two have four shares each, three have nine.
All other records are held up by nothing of that, so what several accounts have part in, sessions
say, is stored in the order of its records. But SQLite takes several times as much memory as a
commit has: where the ends of many long runs come together, what follows ``BATCH_BYTES`` of them,
of whatever kind, is the next commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from sys import getsizeof

from runtime.gateway.journal.conversations import EntriesAdded
from runtime.gateway.journal.items import ItemsChanged
from runtime.gateway.journal.outgoing import OutgoingMessage, PartsRendered, Queued
from runtime.gateway.journal.records import Answered, Arrived, Identified, Left, Marked, Record
from runtime.gateway.journal.runs import Run, RunEnded, RunQueued, RunSeen

SHARE_BYTES = 48 * 1024  # of one account, or one pack, which has 64 KiB at most
BATCH_BYTES = 2 * 1024 * 1024  # of one commit, beyond which each account has one share
BROUGHT = (Arrived, Marked, Identified, Left)  # what a worker hands in, in its order


class Share:
    """The records of one commit with their ``numbers``, ``size_bytes`` in all. ``later`` is the
    rest of ``waiting``, for the next commit.
    """

    def __init__(self, waiting: Sequence[tuple[int, Record]] = ()) -> None:
        self.numbers: list[int] = []
        self.records: list[Record] = []
        self.later: list[tuple[int, Record]] = []
        self.size_bytes = 0
        sizes = [size_of(record) for _, record in waiting]
        brought: Counter[str] = Counter()
        for (_, record), size in zip(waiting, sizes, strict=True):
            if isinstance(record, BROUGHT):
                brought[record.key] += size
        many = sum(size > SHARE_BYTES for size in brought.values())
        held: dict[str, int] = {}  # how much of its share an account has
        others = 0
        for (number, record), size in zip(waiting, sizes, strict=True):
            if others > BATCH_BYTES:
                self.later.append((number, record))
                continue
            if isinstance(record, BROUGHT):
                before = held.get(record.key, 0)
                full = many < 2 or self.size_bytes > BATCH_BYTES
                if before and before + size > SHARE_BYTES * (1 if full else many * many):
                    held[record.key] = BATCH_BYTES  # what follows it must not overtake it
                    self.later.append((number, record))
                    continue
                held[record.key] = before + size
            else:
                others += size
            self.numbers.append(number)
            self.records.append(record)
            self.size_bytes += size

    def forget(self) -> None:
        """Drop the stored records from memory: the next commit may be hours away."""
        self.numbers, self.records = [], []


def size_of(record: Record) -> int:
    """Return the size of a record that counts against the bounds."""
    if isinstance(record, Arrived):
        return sum(map(len, record.payloads)) + len(record.cursor) + 64
    match record:
        case Answered():
            sends, redactions = _size_of_sends(record.answers), 512 * len(record.redactions)
            return 256 + sends + redactions + sum(map(_size_of_run, record.runs))
        case Queued():
            return len(record.outgoing.message) + 512
        case PartsRendered():
            return 256 + len(record.texts)
        case RunQueued():
            return _size_of_run(record.run)
        case RunSeen():
            return 256 + _bytes(record.more)
        case RunEnded():
            entries = sum(_bytes(each.text) + 256 for each in record.entries)
            return 512 + _bytes(record.answer or "") + _size_of_sends(record.answers) + entries
        case ItemsChanged():
            items = sum(len(each.value) + 256 for each in record.items)
            return 256 + items + sum(map(_size_of_run, record.runs))
        case EntriesAdded():
            return 256 + sum(_bytes(each.text) + 256 for each in record.entries)
    return 256


def _size_of_sends(messages: list[OutgoingMessage]) -> int:
    return sum(len(each.message) + 512 for each in messages)


def _size_of_run(run: Run) -> int:
    return 512 + _bytes(run.request.text) + _bytes(run.answer)


def _bytes(text: str) -> int:
    """Return what a text takes in memory: to encode a long one for its size takes a millisecond."""
    return len(text) if text.isascii() else getsizeof(text)

"""Keeps the journal in an SQLite file: opens it, stores records, reads them.

All of it blocks, and belongs on the writer's thread; ``JournalReader`` has a connection of its
own for another one, and neither waits for the other (https://sqlite.org/wal.html).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ipc.files import PRIVATE
from ipc.frames.cursors import Cursor
from ipc.nesting import decode_json
from runtime.gateway.journal import schema
from runtime.gateway.journal.interface import Page
from runtime.gateway.journal.outgoing import (
    Known,
    OpenRow,
    OutgoingMessage,
    OutgoingRow,
    PartsRendered,
    Queued,
    changes_of,
    drops_message,
    patch_of,
)
from runtime.gateway.journal.people import PeopleChanged, Person
from runtime.gateway.journal.records import (
    Answered,
    Arrived,
    Identified,
    Kept,
    Left,
    Marked,
    Outcome,
    Part,
    Place,
    Record,
    arrive,
    change,
    from_cursor,
    is_complete,
)

PAGE_PACKS = 64  # rows that one read looks at

_json = msgspec.json.Encoder().encode
_body = msgspec.msgpack.Encoder().encode
_read_person = msgspec.json.Decoder(Person).decode
_read_row = msgspec.json.Decoder(OutgoingRow).decode
_read_body = msgspec.msgpack.Decoder(tuple[bytes, list[bytes]]).decode


class TooNew(Exception):
    """A journal that a newer Trunkline has written."""


class Database:
    """The journal's file, opened for writing. ``places`` is where each account stands.

    ``changed`` are accounts whose places were changed by something else than records.

    Raises ``TooNew`` for a file that only a newer Trunkline can read, ``sqlite3.Error`` and
    ``OSError`` for one that cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch(mode=PRIVATE)
        self.connection = connect(path)
        try:
            for pragma in schema.PRAGMAS:
                self.connection.execute(f"PRAGMA {pragma}").fetchall()
            _migrate(self.connection, path)
            self.places = _places(self.connection)
        except BaseException:
            self.connection.close()
            raise
        self.changed: set[str] = set()
        self._next = max((place.number for place in self.places.values()), default=0) + 1

    def store(self, records: Iterable[Record]) -> list[Outcome]:
        """Store records in one transaction, and return what became of each.

        When it raises ``sqlite3.Error`` nothing of it is stored: it can be tried again.
        """
        records = list(records)
        ids = [each.ids if isinstance(each, Arrived) else [] for each in records]
        try:
            return self._store(records, ids, {}, {})
        except sqlite3.IntegrityError:  # an id, or the key of a send, that the account has had
            known = self._known(records)
            return self._store(records, ids, self._repeated(records, ids), known)

    def _store(
        self,
        records: list[Record],
        ids: list[list[str | None]],
        repeated: dict[str, set[str]],
        known: dict[str, dict[str, OutgoingRow]],
    ) -> list[Outcome]:
        work = _Commit(self.places, self._next, known)
        outcomes = [
            work.take(each, some, repeated) for each, some in zip(records, ids, strict=True)
        ]
        self.connection.execute(schema.STORE, work.arguments())
        self.places |= work.places
        self._next = work.next
        return outcomes

    @property
    def size_bytes(self) -> int:
        """How much of the file is in use."""
        pages, free, size = (
            int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def forget_ids(self, rows: list[tuple[int, int, str]], places: list[Place]) -> None:
        """Forget ids: ``rows`` are the position, the account and the ids of each row."""
        forgotten: dict[int, list[str]] = {}
        for _, account, ids in rows:
            forgotten.setdefault(account, []).extend(decode_json(ids))
        numbers = _json([pos for pos, _, _ in rows]).decode()
        self._change(
            places,
            *((schema.FORGET_SEEN, n, _json(ids).decode()) for n, ids in forgotten.items()),
            (schema.FORGET_IDS, numbers),
        )

    def forget_packs(self, rows: list[int], places: list[Place]) -> None:
        """Forget frames by the positions of their rows."""
        self._change(places, (schema.FORGET_PACKS, _json(rows).decode()))

    def forget_outgoing(self, rows: list[int]) -> None:
        """Forget sends by the numbers of their rows."""
        self._change([], (schema.FORGET_OUTGOING, _json(rows).decode()))

    def _change(self, places: list[Place], *statements: tuple[str, *tuple[int | str, ...]]) -> None:
        """Do something in one transaction that leaves accounts at other places."""
        work = _Commit(self.places, self._next)
        work.places = {place.key: place for place in places}
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, *arguments in statements:
                self.connection.execute(statement, arguments)
            self.connection.execute(schema.STORE, work.arguments())
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.places |= work.places
        self.changed |= set(work.places)

    def checkpoint(self) -> None:
        """Move what was committed from the log into the file, as far as no reader needs it."""
        self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _repeated(self, records: list[Record], ids: list[list[str | None]]) -> dict[str, set[str]]:
        """Return which of the ids each account has had before."""
        numbers = {place.number: key for key, place in self.places.items()}
        asked = [
            [self.places[record.key].number, [each for each in some if each is not None]]
            for record, some in zip(records, ids, strict=True)
            if record.key in self.places
        ]
        found: dict[str, set[str]] = {}
        for account, known in self.connection.execute(schema.REPEATED, (_json(asked).decode(),)):
            found.setdefault(numbers[account], set()).add(known)
        return found

    def _known(self, records: list[Record]) -> dict[str, dict[str, OutgoingRow]]:
        """Return the rows of those keys of sends that each account has had before."""
        numbers = {place.number: key for key, place in self.places.items()}
        asked = [
            [self.places[record.key].number, [each.row.key for each in _queued_by(record)]]
            for record in records
            if record.key in self.places
        ]
        found: dict[str, dict[str, OutgoingRow]] = {}
        for account, text in self.connection.execute(schema.KNOWN, (_json(asked).decode(),)):
            row = _read_row(text)
            found.setdefault(numbers[account], {})[row.key] = row
        return found


class _Commit:
    """What one commit writes, and the places after it. ``known`` are rows that are there."""

    def __init__(
        self,
        places: dict[str, Place],
        next: int,
        known: dict[str, dict[str, OutgoingRow]] | None = None,
    ) -> None:
        self._before = places
        self._known = known or {}
        self.places: dict[str, Place] = {}
        self.next = next
        self._rows: list[tuple[Any, ...]] = []
        self._bodies: list[bytes] = []
        self._at = 1  # substr counts from 1

    def take(self, record: Record, ids: list[str | None], repeated: dict[str, set[str]]) -> Outcome:
        """Add the steps of a record."""
        place = self._place(record.key)
        account = place.number
        outcome: Outcome = None
        match record:
            case Arrived():
                known = repeated.setdefault(record.key, set())
                some = dict.fromkeys(each for each in ids if each is not None)
                place, kept = arrive(place, record, ids, known.intersection(some))
                self._arrived(account, record, kept, [each for each in some if each not in known])
                known.update(some)
                outcome = kept
            case Marked() | Identified() | Left():
                place = change(place, record)
            case Answered() | Queued():
                place = change(place, record)
                outcome = self._queued(account, record)
                self._know(account, record.people if isinstance(record, Answered) else [])
            case PeopleChanged():
                self._know(account, record.people)
            case _:
                rows = self._known.get(record.key, {})
                if record.row in rows:  # for a key that comes again in this very commit
                    changes = changes_of(record)
                    rows[record.row] = msgspec.structs.replace(rows[record.row], **changes)
                text = _json(patch_of(record)).decode()
                body = record.texts if isinstance(record, PartsRendered) else b""
                numbers = (0, int(drops_message(record)), 0)
                self._step(schema.CHANGED, account, 0, numbers, text=text, body=body)
        self.places[record.key] = place
        return outcome

    def _queued(self, account: int, record: Answered | Queued) -> Known | None:
        """Add the messages that are to be sent, but for those whose keys are known."""
        before = self._known.setdefault(record.key, {})
        known = {}
        for each in _queued_by(record):
            row = each.row
            if row.key in before:
                known[row.key] = before[row.key]
                continue
            before[row.key] = row
            text = _json(row).decode()
            self._step(schema.QUEUED, account, row.at, text=text, body=each.message)
        return Known(known) if known else None

    def _know(self, account: int, people: list[Person]) -> None:
        for each in people:
            self._step(schema.PERSON, account, text=_json(each).decode())

    def arguments(self) -> tuple[bytes, str]:
        """Return what the statement ``STORE`` takes: all bodies as one, and the steps."""
        for place in self.places.values():
            text = _json(msgspec.structs.replace(place, cursor=b"")).decode()
            self._step(schema.PLACE, place.number, text=text, body=place.cursor)
        return b"".join(self._bodies), _json(self._rows).decode()

    def _place(self, key: str) -> Place:
        place = self.places.get(key) or self._before.get(key)
        if place is None:
            place = self.places[key] = Place(key, self.next)
            self.next += 1
        return place

    def _arrived(self, account: int, record: Arrived, kept: Kept, ids: list[str]) -> None:
        for part in kept.parts:
            body = _body((part.flags, part.payloads))
            numbers = (record.incarnation, part.first, part.last)
            self._step(schema.PACK, account, record.at, numbers, body=body)
        if ids:
            self._step(schema.IDS, account, record.at, text=_json(ids).decode())

    def _step(
        self,
        kind: int,
        account: int,
        at: int = 0,
        numbers: tuple[int, int, int] = (0, 0, 0),
        *,
        text: str = "",
        body: bytes = b"",
    ) -> None:
        self._rows.append((kind, account, at, *numbers, text, self._at, len(body)))
        self._bodies.append(body)
        self._at += len(body)


class JournalReader:
    """A connection that only reads."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._connection.execute("PRAGMA query_only=1")

    def after(self, key: str, cursor: Cursor, limit_bytes: int, place: Place | None) -> Page:
        """Return the first frames of an account after ``cursor``; ``place`` is where it stands."""
        rows = self._connection.execute(schema.PACKS_AFTER, (key, *cursor, PAGE_PACKS)).fetchall()
        found: list[tuple[int, int, Part]] = []
        size = 0
        for incarnation, at, first, body in rows:
            if found and size > limit_bytes:
                break
            part = from_cursor(incarnation, Part(first, *_read_body(body)), cursor)
            if part is not None:
                found.append((incarnation, at, part))
                size += len(body)
        more = len(rows) == PAGE_PACKS or len(found) < len(rows)
        return Page(found, more, is_complete(place, cursor))

    def outgoing(self, key: str) -> list[OpenRow]:
        """Return what of an account is still to be sent, oldest first, without the contents."""
        rows = self._connection.execute(schema.OUTGOING_OF, (key,)).fetchall()
        return [OpenRow(_read_row(row), size) for row, size in rows]

    def people(self, key: str) -> list[Person]:
        """Return what is known of people who have asked to be admitted to an account."""
        rows = self._connection.execute(schema.PEOPLE_OF, (key,)).fetchall()
        return [_read_person(person) for (person,) in rows]

    def letters(self, limit: int) -> list[tuple[str, OutgoingRow]]:
        """Return dead letters with the keys of their accounts, oldest first."""
        rows = self._connection.execute(schema.LETTERS, (limit,)).fetchall()
        return [(key, _read_row(row)) for key, row in rows]

    def sent_by(self, key: str, row: str) -> OutgoingMessage | None:
        """Return the message that an account was to send under the key ``row``."""
        found = self._connection.execute(schema.OUTGOING, (key, row)).fetchone()
        return None if found is None else OutgoingMessage(_read_row(found[0]), *found[1:])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _queued_by(record: Record) -> list[OutgoingMessage]:
    """Return the messages that a record adds to what is to be sent."""
    if isinstance(record, Answered):
        return record.answers
    return [record.outgoing] if isinstance(record, Queued) else []


def connect(path: Path) -> sqlite3.Connection:
    """Open the file; each statement is a transaction by itself unless one is begun."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the tables; 0: there are none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = version_of(connection)
    if version > schema.VERSION:
        raise TooNew(
            f"{path} has version {version}, and this Trunkline knows {schema.VERSION}: "
            "start the newer Trunkline again, or move the file away and lose what is in it"
        )
    if version == schema.VERSION:
        return
    if version:
        steps = [schema.MIGRATIONS[each] for each in range(version, schema.VERSION)]
    else:
        steps = [schema.TABLES]
    ending = f"PRAGMA application_id={schema.APPLICATION}; PRAGMA user_version={schema.VERSION};"
    connection.executescript("\n".join(["BEGIN IMMEDIATE;", *steps, ending, "COMMIT;"]))


def _places(connection: sqlite3.Connection) -> dict[str, Place]:
    found = {}
    for key, text, cursor in connection.execute("SELECT key, place, cursor FROM account"):
        place = decode_json(text, Place)
        found[key] = msgspec.structs.replace(place, cursor=cursor)
    return found

"""Keeps the journal in an SQLite file: opens it, and stores records.

All of it blocks, and belongs on the writer's thread.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ipc.files import PRIVATE
from ipc.nesting import decode_json
from ipc.permissions import cure, reason
from runtime.gateway.journal import schema
from runtime.gateway.journal.commit import Commit, KnownRows, KnownRuns
from runtime.gateway.journal.items import ItemsChanged
from runtime.gateway.journal.outgoing import OutgoingMessage, OutgoingRow, Queued
from runtime.gateway.journal.reader import connect, read_run
from runtime.gateway.journal.records import Answered, Arrived, Outcome, Place, Record
from runtime.gateway.journal.replacing import BESIDE
from runtime.gateway.journal.rewriting import Rewrites, redactions_in, withholding
from runtime.gateway.journal.runs import Run, RunEnded, RunQueued

_json = msgspec.json.Encoder().encode
_read_row = msgspec.json.Decoder(OutgoingRow).decode


class TooNew(Exception):
    """The journal was written by a newer Trunkline."""


def explain(path: Path, error: Exception) -> str:
    """Return why the file cannot be opened, with the cure if it or one beside it may not be used.

    SQLite names neither file nor reason.
    """
    if isinstance(error, OSError):
        return reason(error)
    found = (cure(path.with_name(path.name + end)) for end in ("", *BESIDE))
    return "; ".join([str(error), *filter(None, dict.fromkeys(found))])


class Database:
    """The journal's file, opened for writing; ``places`` are the accounts' positions.

    ``changed`` are accounts whose places were changed by something else than records.

    Raises ``TooNew`` for a file that only a newer Trunkline can read, ``sqlite3.Error`` and
    ``OSError`` for one that cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch(mode=PRIVATE)
        if not os.access(path, os.W_OK):  # SQLite would open it, and no commit would succeed
            raise PermissionError(errno.EACCES, "it is read-only", str(path))
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
        (stored,) = self.connection.execute(schema.NEWEST_ENTRY).fetchone()  # of a repaired file
        self._entry = max([stored, *(place.entries for place in self.places.values())])

    def store(self, records: Iterable[Record]) -> list[Outcome]:
        """Store records in one transaction; return the outcome of each.

        When it raises ``sqlite3.Error`` nothing of it is stored: it can be tried again.
        """
        records = list(records)
        ids = [each.ids if isinstance(each, Arrived) else [] for each in records]
        try:
            return self._store(records, ids, {}, {}, {})
        except sqlite3.IntegrityError:  # an id, or the key of a send or run, that there is already
            rows, runs = self._known(records), self._known_runs(records)
            return self._store(records, ids, self._repeated(records, ids), rows, runs)

    def _store(
        self,
        records: list[Record],
        ids: list[list[str | None]],
        repeated: dict[str, set[str]],
        rows: KnownRows,
        runs: KnownRuns,
    ) -> list[Outcome]:
        work = Commit(self.places, self._next, self._entry, rows, runs)
        outcomes = [work.add(each, some, repeated) for each, some in zip(records, ids, strict=True)]
        rewrites = redactions_in(self.connection, records, self.places)
        if rewrites.bodies:
            for place in list(work.places.values()):
                grown = rewrites.grown.get(place.number, 0)
                work.places[place.key] = withholding(place, grown)
            self._transact(rewrites.statement, (schema.STORE, work.arguments()))
        else:  # one statement is a transaction by itself
            self.connection.execute(schema.STORE, work.arguments())
        self.places |= work.places
        self._next, self._entry = work.next, work.entry
        return outcomes

    @property
    def size_bytes(self) -> int:
        """The used part of the file in bytes."""
        pages, free, size = (
            int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def delete_ids(self, rows: list[tuple[int, int, str]], places: list[Place]) -> None:
        """Delete ids: ``rows`` are the position, the account and the ids of each row."""
        forgotten: dict[int, list[str]] = {}
        for _, account, ids in rows:
            forgotten.setdefault(account, []).extend(decode_json(ids))
        numbers = _json([pos for pos, _, _ in rows]).decode()
        self._change(
            places,
            *((schema.FORGET_SEEN, (n, _json(ids).decode())) for n, ids in forgotten.items()),
            (schema.FORGET_IDS, (numbers,)),
        )

    def delete_packs(self, rows: list[int], places: list[Place]) -> None:
        """Delete frames by the positions of their rows."""
        self._change(places, (schema.FORGET_PACKS, (_json(rows).decode(),)))

    def delete_rows(self, statement: str, rows: list[int]) -> None:
        """Delete rows of a table by their numbers."""
        self.connection.execute(statement, (_json(rows).decode(),))

    def rewrite(self, rewrites: Rewrites, place: Place) -> None:
        """Rewrite frame rows of an account, whose position is ``place`` afterwards."""
        self._change([place], rewrites.statement)

    def _change(self, places: list[Place], *statements: tuple[str, tuple[Any, ...]]) -> None:
        """Run a transaction that changes the positions of accounts."""
        work = Commit(self.places, self._next, self._entry)
        work.places = {place.key: place for place in places}
        self._transact(*statements, (schema.STORE, work.arguments()))
        self.places |= work.places
        self.changed |= set(work.places)

    def _transact(self, *statements: tuple[str, tuple[Any, ...]]) -> None:
        """Carry out statements in one transaction."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, arguments in statements:
                self.connection.execute(statement, arguments)
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _repeated(self, records: list[Record], ids: list[list[str | None]]) -> dict[str, set[str]]:
        """Return which ids are already stored, by account."""
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

    def _known(self, records: list[Record]) -> KnownRows:
        """Return the stored rows of known send keys, by account."""
        found: KnownRows = {}
        for key, text in self._query(schema.KNOWN, records, _queued_by):
            row = _read_row(text)
            found.setdefault(key, {})[row.key] = row
        return found

    def _known_runs(self, records: list[Record]) -> KnownRuns:
        """Return the stored runs of known ids, by account."""
        found: KnownRuns = {}
        for key, *columns in self._query(schema.KNOWN_RUNS, records, _runs_of):
            run = read_run(*columns)
            found.setdefault(key, {})[run.id] = run
        return found

    def _query(
        self, query: str, records: list[Record], names: Callable[[Record], list[str]]
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of what records bring, and their account has had before, with its key."""
        numbers = {place.number: key for key, place in self.places.items()}
        asked = [
            [self.places[record.key].number, names(record)]
            for record in records
            if record.key in self.places
        ]
        for account, *columns in self.connection.execute(query, (_json(asked).decode(),)):
            yield numbers[account], *columns


def _queued_by(record: Record) -> list[str]:
    """Return the keys of the messages to send that a record adds."""
    messages: list[OutgoingMessage] = []
    if isinstance(record, Answered | RunEnded):
        messages = record.answers
    elif isinstance(record, Queued):
        messages = [record.outgoing]
    return [each.row.key for each in messages]


def _runs_of(record: Record) -> list[str]:
    """Return the ids of the runs that a record adds."""
    runs: list[Run] = []
    if isinstance(record, Answered | ItemsChanged):
        runs = record.runs
    elif isinstance(record, RunQueued):
        runs = [record.run]
    return [each.id for each in runs]


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the tables; 0 if there are none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = version_of(connection)
    if version > schema.VERSION:
        raise TooNew(schema.describe_newer(path, version))
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
        if place.key != key:
            raise msgspec.ValidationError(f"the place of {place.key} stands under {key}")
        found[key] = msgspec.structs.replace(place, cursor=cursor)
    return found

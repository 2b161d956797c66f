"""Reads the journal's file concurrently with its writer.

It blocks, and belongs on a thread of its own (https://sqlite.org/wal.html).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec.structs import asdict, replace

from ipc.frames.cursors import Cursor
from runtime.gateway.journal import schema
from runtime.gateway.journal.conversations import (
    Session,
    SessionFilter,
    TranscriptEntry,
    is_of_chat,
    lowered,
)
from runtime.gateway.journal.interface import FramePage
from runtime.gateway.journal.items import KeptItem
from runtime.gateway.journal.outgoing import OpenRow, OutgoingMessage, OutgoingRow
from runtime.gateway.journal.people import Person
from runtime.gateway.journal.records import Part, Place, from_cursor, is_complete, read_body
from runtime.gateway.journal.redacting import Stored, readable
from runtime.gateway.journal.runs import NO_REQUEST, Run, RunRequest

PAGE_PACKS = 64  # rows that one read looks at
NEVER = 1 << 62  # a number that no entry has

_read_person = msgspec.json.Decoder(Person).decode
_read_row = msgspec.json.Decoder(OutgoingRow).decode
_read_run_row = msgspec.json.Decoder(Run).decode
_read_request = msgspec.json.Decoder(RunRequest).decode
_read_session = msgspec.json.Decoder(Session).decode
_read_entry = msgspec.json.Decoder(TranscriptEntry).decode


class JournalReader:
    """A read-only connection."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._connection.execute("PRAGMA query_only=1")
        self._connection.create_function("is_of_chat", 1, is_of_chat, deterministic=True)

    def after(self, key: str, cursor: Cursor, limit_bytes: int, place: Place | None) -> FramePage:
        """Return the first stored frames of an account after ``cursor``.

        ``place`` is the stored position of the account.
        """
        position = cursor
        while True:
            rows, more = self._packs_after(key, position, limit_bytes)
            found: list[Stored] = []
            for incarnation, at, first, body in rows:
                part = from_cursor(incarnation, Part(first, *read_body(body)), position)
                if part is not None:
                    found.append((incarnation, at, part))
            shown = readable(found, cursor)
            if shown or not found or not more:
                return FramePage(shown, more, is_complete(place, cursor))
            position = found[-1][0], found[-1][2].last  # all of them were emptied

    def _packs_after(
        self, key: str, cursor: Cursor, limit_bytes: int
    ) -> tuple[list[tuple[int, int, int, bytes]], bool]:
        """Return the first rows of frames after ``cursor``, and whether there may be more.

        No more is read than that: as long as it reads, the log cannot begin anew.
        """
        rows: list[tuple[int, int, int, bytes]] = []
        size = 0
        query = (key, *cursor, PAGE_PACKS)
        with closing(self._connection.execute(schema.PACKS_AFTER, query)) as found:
            for row in found:
                rows.append(row)
                size += len(row[3])
                if size > limit_bytes:
                    return rows, True
        return rows, len(rows) == PAGE_PACKS

    def outgoing(self, key: str) -> list[OpenRow]:
        """Return the unsent messages of an account, oldest first, without contents."""
        rows = self._connection.execute(schema.OUTGOING_OF, (key,)).fetchall()
        return [OpenRow(_read_row(row), size) for row, size in rows]

    def people(self, key: str) -> list[Person]:
        """Return the records of people who asked to be admitted to an account."""
        rows = self._connection.execute(schema.PEOPLE_OF, (key,)).fetchall()
        return [_read_person(person) for (person,) in rows]

    def letters(self, limit: int) -> list[tuple[str, OutgoingRow]]:
        """Return dead letters with the keys of their accounts, oldest first."""
        rows = self._connection.execute(schema.LETTERS, (limit,)).fetchall()
        return [(key, _read_row(row)) for key, row in rows]

    def letter(self, id: str) -> tuple[str, OutgoingMessage] | None:
        """Return a dead letter by its id, with the key of its account."""
        found = self._connection.execute(schema.LETTER, (id,)).fetchone()
        return (
            None if found is None else (found[0], OutgoingMessage(_read_row(found[1]), *found[2:]))
        )

    def sent_by(self, key: str, row: str) -> OutgoingMessage | None:
        """Return an account's outgoing message with the key ``row``."""
        found = self._connection.execute(schema.OUTGOING, (key, row)).fetchone()
        return None if found is None else OutgoingMessage(_read_row(found[0]), *found[1:])

    def beginnings(
        self, rows: Collection[tuple[str, str]], characters: int
    ) -> dict[tuple[str, str], str]:
        """Return the first characters of messages, by account and key of their row."""
        query = (characters, msgspec.json.encode(list(rows)).decode())
        found = self._connection.execute(schema.BEGINNINGS, query).fetchall()
        return {(key, row): text for key, row, text in found}

    def items(self, kind: str) -> list[KeptItem]:
        """Return the documents of a kind by their ids."""
        rows = self._connection.execute(schema.ITEMS, (kind,)).fetchall()
        return [KeptItem(kind, *columns) for columns in rows]

    def open_runs(self, key: str) -> list[Run]:
        """Return the runs of an account that have not ended, in the order of their records."""
        rows = self._connection.execute(schema.OPEN_RUNS, (key,)).fetchall()
        return [read_run(*columns) for columns in rows]

    def run(self, id: str) -> Run | None:
        """Return the newest run with an id, whatever account it is of."""
        found = self._connection.execute(schema.RUN_BY_ID, (id,)).fetchone()
        return None if found is None else read_run(*found)

    def session(self, key: str) -> Session | None:
        """Return the session under a key."""
        found = self._connection.execute(schema.SESSION_BY_KEY, (key,)).fetchone()
        return None if found is None else _read_session(found[0])

    def sessions(self, which: SessionFilter, limit: int, offset: int) -> tuple[list[Session], int]:
        """Return sessions, those that changed last first, and how many there are in all."""
        query = asdict(which) | {"text": lowered(which.text)}
        (total,) = self._connection.execute(schema.COUNT_SESSIONS, query).fetchone()
        page = {"limit": limit, "offset": offset}
        rows = self._connection.execute(schema.SESSIONS, query | page).fetchall()
        return [_read_session(row) for (row,) in rows], total

    def entries(
        self, session: str, after: int | None, before: int | None, limit: int
    ) -> list[TranscriptEntry]:
        """Return entries of a session's transcript in their order."""
        if after is not None:
            query, start = schema.ENTRIES_AFTER, after
        else:
            query, start = schema.ENTRIES_BEFORE, NEVER if before is None else before
        rows = self._connection.execute(query, (session, start, limit)).fetchall()
        found = [replace(_read_entry(row), text=text, number=n) for n, row, text in rows]
        return found if after is not None else found[::-1]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """Open the file; each statement is a transaction by itself unless one is begun."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)


def read_run(row: str, request: bytes, answer: bytes) -> Run:
    """Return a run from the columns of its row."""
    asked = _read_request(request) if request else NO_REQUEST
    return replace(_read_run_row(row), request=asked, answer=answer.decode(errors="ignore"))

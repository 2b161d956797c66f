"""Finds entries of transcripts by their words, with an index in a file of its own.

The journal's writer never touches it: an index inside of its commits would hold up every account.
It is made when it is first asked for, and filled in steps from the entries. It may be removed at
any time (``search_file.py``), also while it is open.

It blocks, and belongs on a thread of its own (https://sqlite.org/fts5.html).
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ipc.files import PRIVATE
from runtime.gateway.journal import schema
from runtime.gateway.journal.conversations import FoundEntry, TranscriptEntry, words_of
from runtime.gateway.journal.damage import is_damage
from runtime.gateway.journal.reader import connect
from runtime.gateway.journal.search_file import index_of, remove_index

VERSION = 1
STEP_ENTRIES = 200
SWEEP_SECONDS = 3600.0

TABLES = f"""
BEGIN IMMEDIATE;
CREATE VIRTUAL TABLE word USING fts5(text, tokenize="unicode61 remove_diacritics 2");
CREATE TABLE done(upto INTEGER NOT NULL) STRICT;
INSERT INTO done VALUES(0);
PRAGMA user_version={VERSION};
COMMIT;
"""
LAST_OF_STEP = """
SELECT max(n) FROM (SELECT n FROM journal.entry WHERE n > ? ORDER BY n LIMIT ?)
"""
FILL = "INSERT INTO word(rowid, text) SELECT n, text FROM journal.entry WHERE n > ? AND n <= ?"
# To find those of deleted sessions the whole index is gone through, so that is done seldom.
FORGOTTEN = "SELECT id FROM word_docsize WHERE id NOT IN (SELECT n FROM journal.entry) LIMIT ?"
OLD = "SELECT id FROM word_docsize WHERE id < (SELECT min(n) FROM journal.entry) LIMIT ?"
FIND = f"""
SELECT n, session, row, entry.text FROM word CROSS JOIN journal.entry ON n = word.rowid
WHERE word MATCH ? AND {schema.PRESENT} ORDER BY word.rowid DESC LIMIT ?
"""  # noqa: S608 - our own texts

T = TypeVar("T")
_read_entry = msgspec.json.Decoder(TranscriptEntry).decode


class SearchIndex:
    """The index of the journal at ``journal``."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._path = index_of(journal)
        self._connection: sqlite3.Connection | None = None
        self._file = 0  # the inode of what is open
        self._sweep_at = 0.0

    def step(self) -> bool:
        """Index the next entries; return whether there are more. Raises ``sqlite3.Error``."""
        return self._with_connection(self._step)

    def find(self, text: str, limit: int) -> list[FoundEntry]:
        """Return the newest entries that have a word for each of a text, which begins with it."""
        query = " ".join(f'"{each}"*' for each in words_of(text))
        if not query:
            return []

        def find(connection: sqlite3.Connection) -> list[FoundEntry]:
            rows = connection.execute(FIND, (query, limit)).fetchall()
            return [
                FoundEntry(session, replace(_read_entry(row), text=said, number=n))
                for n, session, row, said in rows
            ]

        return self._with_connection(find)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _with_connection(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call ``work`` with a connection to the present file; a damaged one is created anew."""
        try:
            return work(self._open())
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self.close()
            remove_index(self._journal)
            return work(self._open())

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._file == _inode(self._path):
            return self._connection
        self.close()
        self._path.touch(mode=PRIVATE)  # and it was used just now
        connection = connect(self._path)
        try:
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            if not connection.execute("PRAGMA user_version").fetchone()[0]:
                connection.executescript(TABLES)
            connection.execute("ATTACH ? AS journal", (str(self._journal),))
        except BaseException:
            connection.close()
            raise
        self._connection, self._file, self._sweep_at = connection, _inode(self._path), 0.0
        return connection

    def _step(self, connection: sqlite3.Connection) -> bool:
        self._path.touch()
        (upto,) = connection.execute("SELECT upto FROM done").fetchone()
        (last,) = connection.execute(LAST_OF_STEP, (upto, STEP_ENTRIES)).fetchone()
        if last is None:
            return self._sweep(connection)
        with _transaction(connection):
            connection.execute(FILL, (upto, last))
            connection.execute("UPDATE done SET upto = ?", (last,))
        return True

    def _sweep(self, connection: sqlite3.Connection) -> bool:
        """Remove some entries that the journal has no more; return whether there may be others."""
        now = time.monotonic()
        if now < self._sweep_at:
            return self._drop(connection, OLD)
        more = self._drop(connection, FORGOTTEN)
        if not more:
            self._sweep_at = now + SWEEP_SECONDS
        return more

    def _drop(self, connection: sqlite3.Connection, which: str) -> bool:
        """Remove some entries that a query finds; return whether there were any."""
        rows = connection.execute(which, (STEP_ENTRIES,)).fetchall()
        if rows:
            with _transaction(connection):
                connection.executemany("DELETE FROM word WHERE rowid = ?", rows)
        return bool(rows)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one transaction, which locks the index alone: IMMEDIATE would lock both."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0

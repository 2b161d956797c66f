"""The journal's file: what one commit is, what cannot be opened."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from typing import Any, cast

import pytest

from runtime.gateway.journal import schema
from runtime.gateway.journal.database import Database, TooNew
from runtime.gateway.journal.reader import PAGE_PACKS, JournalReader
from runtime.gateway.journal.records import Answered
from tests.support.journals import KEY, arrived, outgoing, shown


def test_one_commit_is_one_statement(tmp_path: Path) -> None:
    """Each statement gives up the interpreter's lock, and has to wait for a busy loop after it."""
    database = Database(tmp_path / "journal.db")
    statements: list[str] = []

    class Listening:
        def execute(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
            statements.append(statement)
            return connection.execute(statement, values)

    connection, database.connection = database.connection, cast(sqlite3.Connection, Listening())
    records = [arrived(1, "a", "b"), arrived(1, "a", key="irc:oftc", cursor=b"1")]
    database.store([*records, Answered(KEY, (1, 1), [outgoing("k")])])
    assert statements == [schema.STORE]
    assert not connection.in_transaction
    database.connection = connection
    database.close()


def test_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    database.store([arrived(1, "a")])
    pages = database.connection.execute("PRAGMA page_count").fetchone()[0]
    database.connection.execute(f"PRAGMA max_page_count={pages}")
    records = [arrived(number, f"m{number}" + "x" * 500) for number in range(2, 40)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        database.store(records)
    assert database.places[KEY].newest == (1, 1)
    assert not database.connection.in_transaction
    database.connection.execute("PRAGMA max_page_count=1000000")
    database.store(records)
    assert database.places[KEY].newest == (1, 39)
    database.close()


def test_what_is_stored_is_there_after_the_file_was_opened_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    database.store([arrived(1, "a", "b", cursor=b'"here"'), arrived(3, "b")])
    places = database.places
    database.close()
    again = Database(tmp_path / "journal.db")
    assert again.places == places
    assert again.places[KEY].skips == (3, 3)
    again.store([arrived(1, "a", key="irc:oftc"), arrived(4, "c")])
    assert {place.number for place in again.places.values()} == {1, 2}
    reader = JournalReader(tmp_path / "journal.db")
    page = reader.after(KEY, (1, 2), 1 << 20, again.places[KEY])
    assert [shown(each) for each in page.parts[0][2].payloads] == ["1:4 c skips [3]"]
    reader.close()
    again.close()


def test_a_reader_is_not_in_the_way_of_the_writer_and_reads_in_pages(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    for number in range(1, PAGE_PACKS + 3):  # a commit each, and so a row each
        database.store([arrived(number, f"m{number}")])
    reader = JournalReader(tmp_path / "journal.db")
    page = reader.after(KEY, (1, 0), 1 << 20, database.places[KEY])
    assert len(page.parts) == PAGE_PACKS
    assert page.more
    database.store([arrived(PAGE_PACKS + 3, "while it is open")])
    page = reader.after(KEY, (1, PAGE_PACKS), 1 << 20, database.places[KEY])
    assert [part.first for _, _, part in page.parts] == [PAGE_PACKS + each for each in (1, 2, 3)]
    assert not page.more
    reader.close()
    database.close()


def test_a_file_of_a_newer_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Database(path).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(TooNew, match=f"knows {schema.VERSION}: start the newer"):
        Database(path)


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    database.store([arrived(1, "a")])
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
    database.close()

"""Which errors of SQLite are damage, and which say nothing of the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from runtime.gateway.journal.damage import is_damage

DAMAGE = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
CODES = sorted(name for name in vars(sqlite3) if name.startswith("SQLITE_"))
EXTENDED = ["SQLITE_CORRUPT_VTAB", "SQLITE_IOERR_SHMSIZE", "SQLITE_READONLY_CANTINIT"]


@pytest.mark.parametrize("name", [*CODES, *EXTENDED])
def test_only_a_wrong_content_is_damage(name: str) -> None:
    error = sqlite3.DatabaseError("x")
    error.sqlite_errorname = name
    assert is_damage(error) == (name[: len("SQLITE_CORRUPT")] in DAMAGE or name in DAMAGE)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("x")])
def test_what_is_no_error_of_sqlite_is_no_damage(error: Exception) -> None:
    assert not is_damage(error)


def test_a_file_of_something_else_is_damage() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(b"no database" * 1000)
        with pytest.raises(sqlite3.DatabaseError) as found:
            database.execute("SELECT 1 FROM sqlite_schema")
    assert is_damage(found.value)

"""Damaged journals: what can be read is carried over, and the rest is set aside."""

from __future__ import annotations

import random
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from runtime.gateway.journal.conversations import EntriesAdded, SessionDeleted
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.reader import JournalReader
from runtime.gateway.journal.records import Kept
from runtime.gateway.journal.repair import repair
from runtime.gateway.journal.runs import Recorded, RunQueued, RunStarted
from runtime.gateway.journal.stored import StoredJournal
from tests.support.conversations import TALK, asked, said, talk
from tests.support.journals import KEY, arrived, everything, store
from tests.support.until import until


def filled(path: Path, count: int = 200) -> None:
    database = Database(path)
    for number in range(1, count + 1):
        database.store([arrived(number, f"m{number}" + "x" * 900, cursor=b"%d" % number)])
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def spoil(path: Path, pages: list[int]) -> None:
    """Overwrite pages of the file, as a bad disk does."""
    noise = random.Random(7)
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * 4096)
            file.write(noise.randbytes(4096))


def pages_of(path: Path, table: str) -> list[int]:
    """Return which pages a table has, from zero on."""
    with sqlite3.connect(path) as connection:
        pages = connection.execute("SELECT pageno FROM dbstat WHERE name = ?", (table,)).fetchall()
    connection.close()
    return [page - 1 for (page,) in pages]


def test_what_can_be_read_is_carried_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    filled(path)
    try:
        found = pages_of(path, "pack")
    except sqlite3.OperationalError:
        found = [path.stat().st_size // 4096 // 2]  # this SQLite cannot say: any will do
    spoil(path, found[len(found) // 2 : len(found) // 2 + 2])
    said = repair(path)
    assert "1 accounts with their positions" in said
    database = Database(path)
    assert database.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    place = database.places[KEY]
    assert (place.newest, place.cursor) == ((1, 200), b"200")
    (packs,) = database.connection.execute("SELECT count(*) FROM pack").fetchone()
    assert 0 < packs < 200
    kept = database.store([arrived(201, "m200" + "x" * 900)])
    assert [each.repeated for each in kept if isinstance(each, Kept)] == [1]
    database.close()
    assert [each.name for each in tmp_path.iterdir() if "damaged" in each.name]


def test_conversations_are_carried_over_and_numbers_are_not_used_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    database = Database(path)
    database.store([RunQueued(KEY, asked("r1")), RunStarted(KEY, "r1", 3, 10)])
    database.store([EntriesAdded(KEY, TALK, said("a", "b"), talk())])
    database.store([EntriesAdded(KEY, "x", said("c")), SessionDeleted(KEY, "x")])
    database.connection.execute("DELETE FROM account")  # as if it could not be read
    database.close()
    assert "1 runs and 1 sessions with 3 entries" in repair(path)
    database = Database(path)
    (added,) = database.store([EntriesAdded(KEY, "x", said("d"))])
    assert added == Recorded({}, first=4)
    reader = JournalReader(path)
    run = reader.run("r1")
    assert run is not None
    assert (run.state, run.request.text) == ("running", "hello")
    assert reader.session(TALK) == talk()
    assert [each.text for each in reader.entries(TALK, 0, None, 9)] == ["a", "b"]
    assert [each.text for each in reader.entries("x", 0, None, 9)] == ["d"]
    reader.close()
    database.close()


@pytest.mark.parametrize("content", [b"no database at all" * 500, b"\0" * 100_000])
async def test_a_file_that_is_none_is_replaced(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    journal = StoredJournal(path)
    await until(lambda: journal.ready)
    assert "0 accounts" in str(journal.repaired)
    await store(journal, arrived(1, "a"))
    assert await everything(journal) == ["1:1 a"]
    await journal.close()


def _pragma(pragma: str, database: Database) -> None:
    database.connection.execute(f"PRAGMA {pragma}").fetchall()


async def test_damage_that_shows_while_it_runs_is_repaired_and_nothing_new_is_lost(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    journal = StoredJournal(path)
    await until(lambda: journal.ready)
    await store(journal, *[arrived(number, f"m{number}" + "x" * 900) for number in range(1, 50)])
    for pragma in ("wal_checkpoint(TRUNCATE)", "cache_size=0", "shrink_memory"):
        await journal.run(partial(_pragma, pragma))
    spoil(path, list(range(path.stat().st_size // 4096)))
    for number in range(50, 60):
        await store(journal, arrived(number, f"m{number}"))
    assert journal.repaired
    assert (await everything(journal))[-1] == "1:59 m59"
    await journal.close()

"""What a search finds, in both journals, and when its index is made, filled and made again."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.gateway.journal import forgetting, schema, search
from runtime.gateway.journal.conversations import EntriesAdded, SessionDeleted
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.reader import connect
from runtime.gateway.journal.search import SearchIndex
from runtime.gateway.journal.search_file import index_of, remove_index
from tests.support.conversations import TALK, said
from tests.support.journals import KEY, KINDS, journal_of, store

TEXTS = (
    "The garden gate squeaks.",
    "Oil it, says the gardener; GATES like oil.",
    "Und die Stra\N{LATIN SMALL LETTER SHARP S}e? Caf\N{LATIN SMALL LETTER E WITH ACUTE}!",
    "snake_case and 3\N{MULTIPLICATION SIGN}7=21",
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "journal.db")
    yield made
    made.close()


@pytest.fixture
def index(database: Database) -> Iterator[SearchIndex]:
    made = SearchIndex(database.path)
    yield made
    made.close()


def add(database: Database, *texts: str, session: str = TALK) -> None:
    database.store([EntriesAdded(KEY, session, said(*texts))])


def fill(index: SearchIndex) -> int:
    """Take all steps there are, and return how many."""
    steps = 1
    while index.step():
        steps += 1
    return steps


def found(index: SearchIndex, text: str = "gate") -> list[int]:
    fill(index)
    return [each.entry.number for each in index.find(text, 9)]


@pytest.mark.parametrize("kind", KINDS)
async def test_entries_are_found_by_the_beginnings_of_their_words(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, EntriesAdded(KEY, TALK, said(*TEXTS)))
        await store(journal, EntriesAdded("agent:echo", "other", said("gate", "x", run="r")))

        async def numbers(text: str, limit: int = 9) -> list[int]:
            return [each.entry.number for each in await journal.search(text, limit)]

        assert await numbers("gate") == [5, 2, 1]
        assert await numbers("gate", 2) == [5, 2]
        assert await numbers("Garden GATE") == [2, 1]
        assert await numbers("ate") == await numbers("gate nowhere") == []
        assert (
            await numbers("cafe") == await numbers("CAF\N{LATIN SMALL LETTER E WITH ACUTE}") == [3]
        )
        assert await numbers("stra\N{LATIN SMALL LETTER SHARP S}e") == [3]
        assert await numbers('snake"case* 21)') == [4]
        assert await numbers("") == await numbers(' *" ') == []
        newest = (await journal.search("gate", 1))[0]
        assert (newest.session, newest.entry.text, newest.entry.run) == ("other", "gate", "r")
        await store(
            journal, EntriesAdded(KEY, TALK, said("late gate")), SessionDeleted(KEY, "other")
        )
        assert await numbers("gate") == [7, 2, 1]


def test_the_index_is_made_when_it_is_asked_for_and_filled_in_steps(
    database: Database, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STEP_ENTRIES", 4)
    add(database, *["gate"] * 10)
    assert not index_of(database.path).exists()
    assert fill(index) == 4
    assert stat.S_IMODE(index_of(database.path).stat().st_mode) == 0o600
    assert fill(index) == 1
    add(database, "gate")
    assert fill(index) == 2
    again = SearchIndex(database.path)
    assert fill(again) == 1  # what was taken in is there
    assert len(again.find("gate", 99)) == 11
    again.close()


def test_filling_it_locks_no_writer_out(
    database: Database, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fills it lets the writer store something every few steps of SQLite's machine."""
    opened: list[sqlite3.Connection] = []
    stored: list[str] = []

    def store_beside() -> int:
        if opened[0].in_transaction and len(stored) < 20:
            add(database, "gate")
            stored.append("gate")
        return 0

    def listening(path: Path) -> sqlite3.Connection:
        opened.append(connect(path))
        opened[0].set_progress_handler(store_beside, 20)
        return opened[0]

    add(database, *["gate"] * 50)
    database.connection.execute("PRAGMA busy_timeout=0").fetchall()
    monkeypatch.setattr(search, "connect", listening)
    fill(index)
    assert len(stored) == 20
    assert len(index.find("gate", 99)) == 70


@pytest.mark.parametrize("way", ["removed", "damaged"])
def test_an_index_that_is_gone_or_damaged_is_made_again(
    way: str, database: Database, index: SearchIndex
) -> None:
    add(database, "a gate", "no")
    assert found(index) == [1]
    path = index_of(database.path)
    if way == "removed":
        remove_index(database.path)  # while it is open
    else:
        index.close()
        path.write_bytes(b"noise" * 5000)
    add(database, "gates")
    assert found(index) == [3, 1]


def test_what_the_journal_has_forgotten_leaves_the_index(
    database: Database, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STEP_ENTRIES", 2)

    def indexed() -> list[int]:
        with contextlib.closing(connect(index_of(database.path))) as beside:
            return [number for (number,) in beside.execute("SELECT rowid FROM word")]

    add(database, *["gate"] * 6)
    assert len(found(index)) == 6
    database.delete_rows(schema.FORGET_ENTRIES, [1, 2, 3])
    fill(index)
    assert indexed() == [4, 5, 6]
    database.delete_rows(schema.FORGET_ENTRIES, [5])
    assert found(index) == [6, 4]  # never found again, whatever the index holds
    index.close()
    fill(index)
    assert indexed() == [4, 6]


def test_a_person_who_is_erased_is_not_in_the_index_either(
    database: Database, index: SearchIndex
) -> None:
    database.store([EntriesAdded(KEY, TALK, said("a-secret-word", "gate", sender="ada"))])
    add(database, "gate")
    assert found(index, "secret") == [1]
    forgetting.erase(database, "ada", {KEY: ["ada"]})
    assert not index_of(database.path).exists()
    assert (found(index, "secret"), found(index)) == ([], [3])
    index.close()
    assert b"secret" not in index_of(database.path).read_bytes()

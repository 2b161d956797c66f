"""Damaged journals: what can be read is carried over, and the rest is set aside."""

from __future__ import annotations

import os
import random
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest

from ipc.frames.words import JOURNAL_FULL
from runtime.gateway.journal import schema
from runtime.gateway.journal.conversations import EntriesAdded, SessionDeleted, SessionFilter
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.items import ItemsChanged, KeptItem
from runtime.gateway.journal.outgoing import Attempt, Queued
from runtime.gateway.journal.people import PeopleChanged, Person
from runtime.gateway.journal.reader import JournalReader
from runtime.gateway.journal.records import Answered, Kept, Withheld
from runtime.gateway.journal.repair import TABLES, repair
from runtime.gateway.journal.replacing import REPAIRED
from runtime.gateway.journal.runs import Recorded, RunOrigin, RunQueued, RunStarted
from runtime.gateway.journal.stored import StoredJournal
from tests.support.conversations import TALK, asked, said, talk
from tests.support.journals import KEY, arrived, everything, outgoing, store
from tests.support.until import until

FILES = Path(__file__).parent / "files"


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
    assert "1 accounts with their positions" in repair(path).text
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
    assert "1 runs and 1 sessions with 3 entries" in repair(path).text
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


def full_of(path: Path) -> None:
    """Store something of every kind, of three accounts and an agent."""
    database = Database(path)
    for number, key in enumerate((KEY, "irc:oftc", "local:me"), 1):
        database.store([arrived(1, f"m{number}", key=key, cursor=b"%d" % number)])
        database.store([Queued(key, outgoing(f"k{number}"))])
        database.store([PeopleChanged(key, [Person("ada", "allowed")])])
        database.store([RunQueued(key, asked(f"r{number}", origin=RunOrigin(key, "ada")))])
    database.store([EntriesAdded(KEY, TALK, said("a", "b"), talk())])
    database.store([RunQueued("agent:echo", asked("r4", origin=RunOrigin(client="cli")))])
    database.store([ItemsChanged("agent:echo", [KeptItem("cron", "j", b"{}")])])
    database.close()


TALKS = SessionFilter()
READS: list[Callable[[StoredJournal], Awaitable[object]]] = [
    lambda journal: journal.after(KEY, (0, 0)),
    lambda journal: journal.outgoing(KEY),
    lambda journal: journal.sent_by(KEY, "k1"),
    lambda journal: journal.people(KEY),
    lambda journal: journal.open_runs(KEY),
    lambda journal: journal.entries(TALK, 9),
    lambda journal: journal.sessions(TALKS, 9),
    lambda journal: journal.items("cron"),
]


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    """Change a file that no journal has open."""
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("account", "place"),
        ("pack", "body"),
        ("ids", "ids"),
        ("outgoing", "row"),
        ("person", "person"),
        ("run", "row"),
        ("run", "request"),
        ("session", "row"),
        ("entry", "row"),
        ("item", "value"),
    ],
)
async def test_rows_that_no_program_can_read_are_left_out_and_everything_goes_on(
    table: str, column: str, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    full_of(path)
    with changing(path) as connection:
        kind = "BLOB" if column in ("body", "request", "value") else "TEXT"
        (key, *_) = [each[1] for each in connection.execute(f"PRAGMA table_info({table})")]
        connection.execute(
            f"UPDATE {table} SET {column} = CAST(x'ff' || substr({column}, 2) AS {kind})"
            f" WHERE {key} = (SELECT min({key}) FROM {table})"
        )
    failures: list[str] = []
    journal = StoredJournal(path, on_failure=lambda why, final: failures.append(why))
    await until(lambda: journal.ready)
    for read in READS:
        await read(journal)
    await store(journal, arrived(2, "m1", "m9", cursor=b"2"))
    await store(journal, Attempt(KEY, "k1", 1, 1, 1, 1), RunStarted(KEY, "r1", 3, 10))
    await store(journal, Answered(KEY, (1, 3), redactions=[Withheld((1, 1), "blocked")]))
    assert (journal.fault, failures) == (None, [])
    for key in ("irc:oftc", "local:me"):
        place = journal.place(key)
        assert place is not None
        assert place.cursor
        assert len(await journal.outgoing(key)) == len(await journal.open_runs(key)) == 1
    await journal.close()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM account WHERE n > 1; INSERT INTO account VALUES(9, 'x', 'no place', x'')",
        "UPDATE account SET place = 'spoilt' WHERE n = 2",
        "UPDATE account SET key = 'spoilt' WHERE n = 2",
    ],
)
async def test_rows_of_an_account_whose_place_is_gone_belong_to_no_other(
    damage: str, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    full_of(path)
    with changing(path) as connection:
        connection.executescript(damage)
    journal = StoredJournal(path)
    await until(lambda: journal.ready)
    assert "irc:oftc" in journal.lost
    assert not (await journal.after("irc:oftc", (1, 0))).complete
    await store(journal, arrived(1, "new", key="irc:new"))
    assert await journal.outgoing("irc:new") == []
    assert await everything(journal, "irc:new") == ["1:1 new"]
    assert [each.row.key for each in await journal.outgoing("irc:oftc")] == ["k2"]
    again = await store(journal, arrived(1, "m2", "new", incarnation=2, key="irc:oftc"))
    assert [each.repeated for each in again if isinstance(each, Kept)] == [1]
    await journal.close()


def test_rows_of_an_account_that_nothing_names_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    database = Database(path)
    database.store([Queued("irc:gone", outgoing("k"))])
    database.connection.execute("DELETE FROM account")
    database.close()
    assert repair(path).lost == set()
    database = Database(path)
    database.store([arrived(1, "new", key="irc:new")])
    assert database.connection.execute("SELECT count(*) FROM outgoing").fetchone() == (0,)
    database.close()


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ("request BLOB", "re\xffuest BLOB", "4 accounts .* 0 runs"),
        ("chat TEXT", "chat, EXT", "0 accounts"),  # nothing of a file whose schema is none
        ("TABLE pack(", "TABLE tack(", "0 accounts"),
    ],
)
def test_a_table_whose_definition_is_damaged_is_left_out(
    old: str, new: str, left: str, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    full_of(path)
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new.encode("latin-1")))
    assert re.search(left, repair(path).text)
    Database(path).close()


def content_of(path: Path) -> dict[str, list[Any]]:
    """Return the rows of all tables, as the product opens them, without ids drawn by lot."""
    with closing(Database(path)) as database:
        rows = {
            table: database.connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in [*TABLES, "seen"]
        }
    return {
        table: [[re.sub('"id":"[0-9a-f]{12}",', "", str(each)) for each in row] for row in found]
        for table, found in rows.items()
    }


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_a_journal_of_an_earlier_version_becomes_what_a_migration_makes_of_it(
    version: int, tmp_path: Path
) -> None:
    migrated, repaired = tmp_path / "migrated.db", tmp_path / "journal.db"
    for path in (migrated, repaired):
        with changing(path) as connection:
            connection.executescript((FILES / f"version-{version}.sql").read_text())
    assert "1 accounts with their positions, 1 packs" in repair(repaired).text
    found = content_of(repaired)
    assert found == content_of(migrated)
    assert len(found["outgoing"]) >= 1


def test_rows_of_a_table_of_another_width_are_carried_over_by_the_names_of_its_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    full_of(path)
    before = content_of(path)
    with changing(path) as connection:
        connection.executescript("""
            PRAGMA legacy_alter_table=ON;
            ALTER TABLE pack ADD COLUMN more TEXT DEFAULT 'not known any more';
            ALTER TABLE person RENAME TO before;
            CREATE TABLE person(
                person TEXT NOT NULL, sender TEXT NOT NULL, account INTEGER NOT NULL,
                PRIMARY KEY(account, sender)
            ) STRICT, WITHOUT ROWID;
            INSERT INTO person SELECT person, sender, account FROM before;
            DROP TABLE before;
        """)
    last = "texts BLOB NOT NULL"
    next_version = schema.TABLES.replace(last, f"{last}, tag TEXT NOT NULL DEFAULT 'none'")
    monkeypatch.setattr(schema, "TABLES", next_version)
    assert "3 packs of messages, 3 of their ids, 3 sends, 3 people" in repair(path).text
    after = content_of(path)
    assert [row.pop() for row in after["outgoing"]] == ["none"] * 3
    assert after == before


def test_a_kill_during_a_repair_loses_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "journal.db"
    filled(path, 5)
    with monkeypatch.context() as patch:  # killed before anything is replaced
        patch.setattr(
            "runtime.gateway.journal.repair.replace_journal", Mock(side_effect=KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            repair(path)
    assert "5 packs" in repair(path).text
    assert sorted(each.name.partition(".damaged")[0] for each in tmp_path.iterdir()) == [
        "journal.db",
        "journal.db",
    ]


@pytest.mark.parametrize("running", [False, True])
async def test_without_room_for_the_new_file_the_damaged_one_waits_for_it(
    running: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.gateway.journal.writer.RETRY_SECONDS", 0.01)
    path = tmp_path / "journal.db"
    filled(path, 5)
    with changing(path) as connection:
        if running:
            row = "VALUES(1, 1, 'k', 0, 'queued', 0, '{', x'', x'')"
            connection.execute(f"INSERT INTO outgoing {row}")
        else:
            connection.execute("UPDATE account SET place = 'none'")
    with monkeypatch.context() as patch:
        patch.setattr("runtime.gateway.journal.repair.free_bytes", lambda directory: 0)
        journal = StoredJournal(path)
        if running:
            await until(lambda: journal.ready)
            journal.append(Attempt(KEY, "k", 1, 1, 1, 1))
            journal.flush()
        await until(lambda: journal.fault == JOURNAL_FULL)
        if running:
            assert (await journal.after(KEY, (0, 0))).parts
    await until(lambda: journal.ready and journal.fault is None)
    assert journal.repaired
    assert len(await everything(journal)) == 5
    await journal.close()


@pytest.mark.parametrize("running", [False, True])
async def test_a_stop_does_not_wait_for_a_repair_that_has_no_room(
    running: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    filled(path, 5)
    monkeypatch.setattr("runtime.gateway.journal.repair.free_bytes", lambda directory: 0)
    if not running:
        path.write_bytes(b"no database at all" * 500)
    failures: list[str] = []
    journal = StoredJournal(path, on_failure=lambda why, final: failures.append(why))
    if running:
        await until(lambda: journal.ready)
        with changing(path) as connection:
            connection.execute("DROP VIEW step")
        journal.append(arrived(6, "m6"))
        journal.flush()
    await until(lambda: journal.fault == JOURNAL_FULL)
    await journal.close()
    assert failures == []


async def test_a_kill_before_the_repaired_file_has_its_name_loses_nothing(tmp_path: Path) -> None:
    filled(tmp_path / f"journal.db{REPAIRED}", 5)
    journal = StoredJournal(tmp_path / "journal.db")
    await until(lambda: journal.ready)
    assert len(await everything(journal)) == 5
    await journal.close()


async def test_a_reader_follows_the_file_that_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    filled(path, 40)
    journal = StoredJournal(path)
    await until(lambda: journal.ready)
    assert len((await journal.after(KEY, (0, 0), 1)).parts) == 1  # it has the file open
    spoil(path, pages_of(path, "pack")[-3:])
    assert (await everything(journal, after=(1, 20))) != []
    assert journal.repaired
    await store(journal, arrived(41, "new"))
    assert (await everything(journal))[-1] == "1:41 new"
    await journal.close()


async def test_an_error_that_a_repair_does_not_end_is_raised_and_repairs_no_more(
    tmp_path: Path,
) -> None:
    journal = StoredJournal(tmp_path / "journal.db")
    await until(lambda: journal.ready)

    def fail(reader: object) -> None:
        raise msgspec.DecodeError("a mistake of ours")

    for _ in range(3):
        with pytest.raises(msgspec.DecodeError):
            await journal._read(fail)  # no reader finds damage on demand
        await store(journal, arrived(journal.commits + 1, f"m{journal.commits}"))
    await journal.close()
    assert len([each for each in os.listdir(tmp_path) if "damaged" in each]) == 1


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

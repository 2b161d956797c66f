"""The tables of the journal's file, and files of every version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from runtime.gateway.journal import schema
from runtime.gateway.journal.database import Database, version_of
from runtime.gateway.journal.items import ItemsChanged, KeptItem
from runtime.gateway.journal.outgoing import Delivered, Known, Queued
from runtime.gateway.journal.people import PeopleChanged, Person
from runtime.gateway.journal.reader import JournalReader
from runtime.gateway.journal.records import Kept
from runtime.gateway.journal.runs import RunEnded, RunQueued
from tests.support.conversations import asked, said
from tests.support.journals import KEY, arrived, outgoing, shown
from workers.messages import Outbound

FILES = Path(__file__).parent / "files"
LETTERS: dict[int, list[str]] = {1: []} | {each: ["echo:1:1"] for each in (2, 3, 4, 5)}
PEOPLE: dict[int, list[str]] = {1: [], 2: []} | {each: ["person-2"] for each in (3, 4, 5)}
TALK = "agent:echo:irc:libera:direct:person-1"
OPEN_RUNS: dict[int, list[str]] = {1: [], 2: [], 3: []} | {4: ["run-2"], 5: ["run-2"]}
SAID = ["text 1", "echo: text 1"]
ENTRIES: dict[int, list[str]] = {1: [], 2: [], 3: []} | {4: SAID, 5: SAID}
ITEMS: dict[int, list[KeptItem]] = {each: [] for each in (1, 2, 3, 4)} | {
    5: [KeptItem("cron.job", "job-1", b'{"id":"job-1"}')]
}


def test_there_is_a_way_from_every_version_to_the_newest() -> None:
    assert sorted(schema.MIGRATIONS) == list(range(1, schema.VERSION))
    assert {path.name for path in FILES.iterdir()} == {
        f"version-{each}.sql" for each in range(1, schema.VERSION + 1)
    }


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_a_file_of_each_version_is_read_and_written_on(version: int, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    older = sqlite3.connect(path)
    older.executescript((FILES / f"version-{version}.sql").read_text())
    older.close()
    database = Database(path)
    try:
        assert version_of(database.connection) == schema.VERSION
        place = database.places[KEY]
        assert (place.newest, place.settled, place.identity) == ((1, 3), (1, 2), "bot-1")
        assert (place.cursor, place.skips) == (b'{"offset":7}', (3, 3))
        (kept,) = database.store([arrived(4, "m1", "new")])
        assert isinstance(kept, Kept)
        assert kept.repeated == 1
        reader = JournalReader(path)
        page = reader.after(KEY, (1, 0), 1 << 20, place)
        found = [shown(payload) for _, _, part in page.parts for payload in part.payloads]
        assert found == ["1:1 m1", "1:2 m2", "1:5 new skips [[3, 4]]"]
        (waiting,) = reader.outgoing(KEY)
        row = waiting.row
        assert (row.key, row.chat, row.state, row.origin) == (
            "echo:1:2",
            "person-1",
            "queued",
            "agent",
        )
        assert (row.at, row.expires, bool(row.id)) == (5, 3_600_005, True)
        content = reader.sent_by(KEY, row.key)
        assert content is not None
        assert waiting.size == len(content.message)
        assert msgspec.json.decode(content.message, type=Outbound).text == "echo: text 2"
        (known,) = database.store([Queued(KEY, outgoing("echo:1:2"))])
        assert known == Known({"echo:1:2": row})
        database.store([Delivered(KEY, "echo:1:2", [])])
        assert reader.outgoing(KEY) == []
        assert [row.key for _, row in reader.letters(9)] == LETTERS[version]
        assert [each.sender for each in reader.people(KEY)] == PEOPLE[version]
        database.store([PeopleChanged(KEY, [Person("person-3", "blocked")])])
        assert reader.people(KEY)[-1] == Person("person-3", "blocked")
        _converse(database, reader, version)
        assert reader.items("cron.job") == ITEMS[version]
        added = KeptItem("cron.job", "job-2", b"{}")
        database.store([ItemsChanged(KEY, [added], [("cron.job", "job-1")])])
        assert reader.items("cron.job") == [added]
        reader.close()
    finally:
        database.close()


def _converse(database: Database, reader: JournalReader, version: int) -> None:
    """Look at the conversations of a file, and go on with them."""
    assert [each.id for each in reader.open_runs(KEY)] == OPEN_RUNS[version]
    assert [each.text for each in reader.entries(TALK, 0, None, 9)] == ENTRIES[version]
    if version >= 4:
        run = reader.run("run-2")
        assert run is not None
        assert (run.answer, run.request.text, run.events, run.seen) == ("echo", "text 1", 2, True)
        session = reader.session(TALK)
        assert session is not None
        assert (session.id, session.to, session.messages) == ("session-1", "person-1", 2)
        assert reader.entries("agent:echo:gone", 0, None, 9) == []
    ended = RunEnded(KEY, "run-2", TALK, "final", 12, "done", entries=said("a", "b"))
    database.store([RunQueued(KEY, asked("run-3")), ended])
    assert [each.id for each in reader.open_runs(KEY)] == ["run-3"]
    found = [each.text for each in reader.entries(TALK, 0, None, 9)]
    assert found == [*ENTRIES[version], "a", "b"]


def test_the_file_of_the_newest_version_has_its_tables(tmp_path: Path) -> None:
    """Whoever changes the tables raises the version, and adds a file of it."""
    made = sqlite3.connect(tmp_path / "made.db")
    made.executescript(schema.TABLES)
    stored = sqlite3.connect(tmp_path / "stored.db")
    stored.executescript((FILES / f"version-{schema.VERSION}.sql").read_text())
    query = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    assert made.execute(query).fetchall() == stored.execute(query).fetchall()
    made.close()
    stored.close()


@pytest.mark.parametrize(
    "name",
    [name for name in vars(schema) if name.startswith("FORGET_")]
    + ["REPEATED", "KNOWN", "KNOWN_RUNS"],
)
def test_rows_are_looked_up_by_their_keys_however_many_there_are(name: str, tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    try:
        statement = getattr(schema, name)
        arguments = ("[]",) if statement.count("?") == 1 else (1, "[]")
        rows = database.connection.execute(f"EXPLAIN QUERY PLAN {statement}", arguments)
        steps = [row[3] for row in rows if "VIRTUAL TABLE" not in row[3]]
        assert [step for step in steps if step.startswith("SEARCH")]
        assert not [
            step for step in steps if step.startswith("SCAN") or step.endswith("(account=?)")
        ]
    finally:
        database.close()

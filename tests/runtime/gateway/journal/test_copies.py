"""Copies of the journal are whole while it is written, and only a whole one is put back."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from runtime.gateway.journal import copies, schema
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.outgoing import Attempt, Delivered, Queued
from runtime.gateway.journal.records import Record
from runtime.gateway.journal.runs import RunQueued, RunStarted
from tests.support.conversations import asked
from tests.support.journals import KEY, arrived, outgoing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with three messages."""
    place = tmp_path / "journal.db"
    _write(place, 1, 3)
    return place


def test_a_copy_has_what_was_stored_and_is_for_its_owner_alone(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    assert copies.copy(path, target) == target.stat().st_size
    assert _ids(target) == ["m1", "m2", "m3"]
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy.db", "journal.db"]


def test_a_copy_in_steps_is_not_begun_anew_by_writers(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "STEP_PAGES", 1)
    steps: list[None] = []
    with closing(Database(path)) as database:

        def write() -> None:
            steps.append(None)
            first = 3 + len(steps)
            database.store([arrived(first, f"m{first}")])

        copies.copy(path, tmp_path / "copy.db", write)
    assert len(steps) < 50
    assert _ids(tmp_path / "copy.db") == ["m1", "m2", "m3"]
    assert _ids(path)[:5] == ["m1", "m2", "m3", "m4", "m5"]


def test_a_copy_that_is_ended_leaves_nothing(path: Path, tmp_path: Path) -> None:
    def end() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        copies.copy(path, tmp_path / "copy.db", end)
    assert [each.name for each in tmp_path.iterdir()] == ["journal.db"]


def test_without_room_no_copy_is_begun(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "ROOM_BYTES", 1 << 60)
    with pytest.raises(OSError, match="has no room for"):
        copies.copy(path, tmp_path / "copy.db")
    assert [each.name for each in tmp_path.iterdir()] == ["journal.db"]


def test_a_copy_takes_the_journals_place_which_is_kept(path: Path, tmp_path: Path) -> None:
    copies.copy(path, tmp_path / "copy.db")
    _write(path, 4, 5)
    aside = copies.restore(tmp_path / "copy.db", path)
    assert _ids(path) == ["m1", "m2", "m3"]
    assert aside is not None
    assert aside.name.startswith("journal.db.replaced-")
    assert _ids(aside) == ["m1", "m2", "m3", "m4", "m5"]


def test_after_a_copy_messages_may_be_missing_and_others_may_have_been_sent(
    path: Path, tmp_path: Path
) -> None:
    with closing(Database(path)) as database:
        database.store([Queued(KEY, outgoing(each)) for each in ("waits", "begun", "sent")])
        begun = [Attempt(KEY, each, 1, 1, 1, 1) for each in ("begun", "sent")]
        database.store([*begun, Delivered(KEY, "sent", [])])
    copies.copy(path, tmp_path / "copy.db")
    copies.restore(tmp_path / "copy.db", path)
    with closing(Database(path)) as database:
        assert not database.places[KEY].whole
        database.store([arrived(1, "m9", incarnation=2)])
        place = database.places[KEY]
        query = "SELECT key, state, row->>'state', row->>'incarnation' FROM outgoing"
        assert database.connection.execute(query).fetchall() == [
            ("waits", "attempting", "attempting", 0),
            ("begun", "attempting", "attempting", 0),
            ("sent", "sent", "sent", 1),
        ]
    assert (place.whole, place.floor) == (True, (2, 0))
    with closing(Database(tmp_path / "copy.db")) as database:
        assert database.places[KEY].whole


def test_what_the_log_of_the_replaced_journal_held_goes_with_it(path: Path, tmp_path: Path) -> None:
    copies.copy(path, tmp_path / "copy.db")
    left = os.fork()  # a process that ends without closing it leaves the log behind
    if not left:
        Database(path).store([arrived(4, "m4")])
        os._exit(0)
    os.waitpid(left, 0)
    assert path.with_name("journal.db-wal").stat().st_size
    aside = copies.restore(tmp_path / "copy.db", path)
    assert aside is not None
    assert _ids(path) == ["m1", "m2", "m3"]
    assert _ids(aside) == ["m1", "m2", "m3", "m4"]


def test_a_copy_is_put_where_no_journal_was(path: Path, tmp_path: Path) -> None:
    copies.copy(path, tmp_path / "copy.db")
    (tmp_path / "new").mkdir()
    assert copies.restore(tmp_path / "copy.db", tmp_path / "new" / "journal.db") is None
    assert _ids(tmp_path / "new" / "journal.db") == ["m1", "m2", "m3"]


def _text(path: Path) -> None:
    path.write_text("no journal, but long enough that SQLite looks at it" * 100)


def _other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE t(x)")


def _newer(path: Path) -> None:
    _write(path, 1, 1)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version={schema.VERSION + 1}")


def _damaged(path: Path) -> None:
    _write(path, 1, 400)
    with path.open("r+b") as file:
        for page in range(4, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Path.mkdir, "is no file"),
        (lambda path: None, "is no file"),
        (_text, "cannot be read"),
        (_other, "is no journal of Trunkline"),
        (_newer, "restore it with the Trunkline that wrote it"),
        (_damaged, "is damaged|cannot be read"),
    ],
    ids=["directory", "missing", "text", "another database", "newer", "damaged"],
)
def test_what_is_no_whole_journal_is_refused_and_changes_nothing(
    path: Path, tmp_path: Path, make: object, why: str
) -> None:
    given = tmp_path / "given.db"
    assert callable(make)
    make(given)
    with pytest.raises(copies.UnusableCopy, match=why):
        copies.restore(given, path)
    assert _ids(path) == ["m1", "m2", "m3"]
    assert not list(tmp_path.glob("*.re*"))


@pytest.mark.parametrize(
    ("records", "newest"),
    [
        ([], 1),
        ([arrived(1, "a", incarnation=9), arrived(1, "b", incarnation=4)], 9),  # restored before
        ([Queued(KEY, outgoing("k")), Attempt(KEY, "k", 1, 1 << 40, 1, 1)], 1 << 40),
        ([RunQueued(KEY, asked("r")), RunStarted(KEY, "r", 8, 10)], 8),
    ],
    ids=["messages", "older messages", "sends", "runs"],
)
def test_the_newest_incarnation_is_found_wherever_one_is_named(
    path: Path, records: list[Record], newest: int
) -> None:
    with closing(Database(path)) as database:
        database.store(records)
    assert copies.newest_incarnation(path) == newest


def test_the_newest_incarnation_is_found_in_older_and_in_damaged_rows(tmp_path: Path) -> None:
    for file in (Path(__file__).parent / "files").iterdir():
        with closing(sqlite3.connect(tmp_path / file.name)) as older:
            older.executescript(file.read_text())
            older.execute("UPDATE account SET place = 'no JSON'")
            older.commit()
        assert copies.newest_incarnation(tmp_path / file.name) >= 1


def test_the_newest_incarnation_is_reserved_before_anything_is_replaced(
    path: Path, tmp_path: Path
) -> None:
    copies.copy(path, tmp_path / "copy.db")
    _write(path, 4, 5)
    reserved: list[int] = []

    def fail(newest: int) -> None:
        reserved.append(newest)
        raise PermissionError

    with pytest.raises(PermissionError):
        copies.restore(tmp_path / "copy.db", path, fail)
    assert reserved == [1]
    assert _ids(path) == ["m1", "m2", "m3", "m4", "m5"]
    assert not list(tmp_path.glob("*.re*"))


def test_copies_sort_by_age(tmp_path: Path) -> None:
    names = [copies.name_of_copy(seconds) for seconds in (1e9, 1.7e9, 1.7e9 + 1, 2e9)]
    assert names == sorted(names)
    for name in reversed(names):
        (tmp_path / name).touch()
    (tmp_path / f"{names[0]}.unfinished").touch()
    assert [each.name for each in copies.copies_in(tmp_path)] == names


def test_the_beginning_of_a_copy_that_was_killed_goes_and_one_that_is_being_made_stays(
    tmp_path: Path,
) -> None:
    names = [copies.name_of_copy(seconds) for seconds in (1e9, 1.7e9)]
    for name in names:
        for end in (".unfinished", ".unfinished-journal"):
            (tmp_path / f"{name}{end}").touch()
    (tmp_path / "mine.db.unfinished").touch()
    for each in tmp_path.iterdir():
        at = 3000.0 if names[1] in each.name else 0.0
        os.utime(each, (at, at))
    copies.remove_abandoned(tmp_path, copies.ABANDONED_SECONDS + 1)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        f"{names[1]}.unfinished",
        f"{names[1]}.unfinished-journal",
        "mine.db.unfinished",
    ]


def test_a_copy_is_made_while_another_thread_writes(path: Path, tmp_path: Path) -> None:
    database, number, enough = Database(path), 4, threading.Event()

    def write() -> None:
        nonlocal number
        while not enough.is_set():
            database.store([arrived(number, f"m{number}")])
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(5):
            copies.copy(path, tmp_path / f"copy{turn}.db")
    finally:
        enough.set()
        writer.join()
        database.close()
    for turn in range(5):
        found = _ids(tmp_path / f"copy{turn}.db")
        assert found == [f"m{each}" for each in range(1, len(found) + 1)]
        copies.check(tmp_path / f"copy{turn}.db")


def _write(path: Path, first: int, last: int) -> None:
    with closing(Database(path)) as database:
        for number in range(first, last + 1):
            database.store([arrived(number, f"m{number}")])


def _ids(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as journal:
        query = """SELECT value FROM ids, json_each(ids.ids)
            WHERE account = (SELECT n FROM account WHERE key = ?) ORDER BY pos"""
        return [value for (value,) in journal.execute(query, (KEY,))]

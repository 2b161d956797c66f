"""When the journal is copied, and how many copies stay."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import MutableMapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.journal import copies, nightly
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.interface import Keep
from runtime.gateway.journal.nightly import FIRST, NIGHT, OVERDUE, REST, NightlyCopies, due_at
from runtime.gateway.journal.stored import StoredJournal
from tests.support.journals import arrived, store
from tests.support.until import until


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+01:00")


@pytest.mark.parametrize(
    ("now", "newest", "started", "due"),
    [
        ("10T12:00", "10T03:00", "09T00:00", "11T03:00"),
        ("10T12:00", "10T04:59", "09T00:00", "11T03:00"),
        ("10T12:00", "10T01:00", "09T00:00", "11T03:00"),
        ("10T23:00", "10T12:00", "09T00:00", "12T00:00"),  # made by hand
        ("11T09:00", "10T08:00", "09T00:00", "11T04:00"),
        ("12T12:00", "10T03:00", "12T11:59", "12T12:09"),  # off at night
        ("10T12:00", None, "10T12:00", "10T12:10"),
        ("10T12:00", "20T03:00", "10T12:00", "10T12:10"),  # by a clock that was wrong
    ],
)
def test_the_next_copy_is_due_at_night_or_when_a_night_was_missed(
    now: str, newest: str | None, started: str, due: str
) -> None:
    assert due_at(at(now), at(newest) if newest else None, at(started)) == at(due)


@given(
    newest=st.integers(0, 365 * 86400).map(
        lambda seconds: datetime.fromtimestamp(1.7e9 + seconds, UTC)
    ),
    later=st.timedeltas(timedelta(), timedelta(days=3)),
    up=st.timedeltas(timedelta(), timedelta(days=3)),
)
def test_no_copy_comes_too_soon_and_none_is_missed(
    newest: datetime, later: timedelta, up: timedelta
) -> None:
    now = newest + later
    soonest = now - up + FIRST
    due = due_at(now, newest, now - up)
    assert max(newest + REST, soonest) <= due <= max(newest + OVERDUE, soonest)
    assert NIGHT[0] <= due.hour < NIGHT[1] or due in (newest + OVERDUE, soonest)


def test_the_newest_copies_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    made = NightlyCopies(path, backup, 2)
    paths: list[Path] = []
    for number in (1, 2, 3):
        with closing(Database(path)) as database:
            database.store([arrived(number, f"m{number}")])
        monkeypatch.setattr(time, "time", partial(float, 1e9 + number))
        paths.append(made.copy_now())
    monkeypatch.undo()
    assert copies.copies_in(backup) == paths[1:]
    assert backup.stat().st_mode & 0o777 == 0o700


def aged(copied: Path, seconds: float = 1e9) -> Path:
    """Make a copy one of that time, and return its new path."""
    old = copied.rename(copied.with_name(copies.name_of_copy(seconds)))
    os.utime(old, (seconds, seconds))
    return old


async def test_an_unchanged_journal_is_not_copied_again(tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    journal = StoredJournal(path)
    try:
        await until(lambda: journal.ready)
        await store(journal, arrived(1, "m1"))
        made = NightlyCopies(path, backup, 3, journal._changes)  # as its own does
        first = await asyncio.to_thread(made.copy_if_changed)
        os.utime(first, (1e9, 1e9))
        before, since = first.read_bytes(), time.time() - 1
        first.write_bytes(b"not read, and not written")
        assert await asyncio.to_thread(made.copy_if_changed) == first
        assert first.read_bytes() == b"not read, and not written"
        assert copies.time_of(first) > since, "as of now it has everything"
        await store(journal, arrived(2, "m2"))
        second = await asyncio.to_thread(made.copy_if_changed)
        assert second.read_bytes() != before
        second.unlink()
        assert (await asyncio.to_thread(made.copy_if_changed)).exists()
    finally:
        await journal.close()


def test_a_copy_that_would_be_the_same_as_the_last_one_does_not_stay(tmp_path: Path) -> None:
    """A gateway that has just begun does not know what its predecessor has copied."""
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    with closing(Database(path)) as database:
        database.store([arrived(1, "m1"), arrived(2, "m2")])
    since = time.time() - 1
    old = aged(NightlyCopies(path, backup, 3).copy_now())
    Database(path).close()
    assert NightlyCopies(path, backup, 3).copy_now() == old
    assert copies.copies_in(backup) == [old]
    assert copies.time_of(old) > since
    with closing(Database(path)) as database:
        database.store([arrived(3, "m3")])
    new = NightlyCopies(path, backup, 3).copy_now()
    assert copies.copies_in(backup) == [old, new]


@pytest.mark.parametrize("changed", [False, True])
def test_a_copy_by_a_clock_that_was_ahead_is_never_the_newest_one(
    tmp_path: Path, changed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "FIRST", timedelta())
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    Database(path).close()
    ahead = aged(NightlyCopies(path, backup, 2).copy_now(), time.time() + 365 * 86400)
    if changed:
        with closing(Database(path)) as database:
            database.store([arrived(1, "m1")])
    made = NightlyCopies(path, backup, 2)
    new = made.copy_now()
    assert copies.copies_in(backup) == [ahead, new]
    assert made._seconds() > 0  # else it would make one after the other
    aged(new)
    with closing(Database(path)) as database:
        database.store([arrived(2, "m2")])
    made.copy_now()
    assert len(copies.copies_in(backup)) == 2
    assert not ahead.exists()


def test_copies_of_a_damaged_journal_do_not_take_the_place_of_others(tmp_path: Path) -> None:
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    with closing(Database(path)) as database:
        database.store([arrived(1, *[f"m{each}" for each in range(2000)])])
    made = NightlyCopies(path, backup, 1)
    old = aged(made.copy_now())
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 4096 // 2 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(copies.UnusableCopy, match="damaged"):
        made.copy_now()
    assert copies.copies_in(backup) == [old]
    copies.check(old)


def test_a_clock_that_was_ahead_at_the_start_delays_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 365 * 86400)
    made = NightlyCopies(tmp_path / "journal.db", tmp_path / "backup", 3)
    monkeypatch.undo()
    # The time of the next one shows nowhere else.
    assert made._seconds() < FIRST.total_seconds() + 1


async def test_a_running_journal_is_copied_when_that_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "FIRST", timedelta())
    journal = StoredJournal(tmp_path / "journal.db", copies=tmp_path / "backup")
    try:
        await until(lambda: journal.ready)
        await store(journal, arrived(1, "m1"))
        await until(lambda: copies.copies_in(tmp_path / "backup"))
    finally:
        await journal.close()
    (made,) = copies.copies_in(tmp_path / "backup")
    copies.check(made)


async def test_a_journal_that_wants_no_copies_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "FIRST", timedelta())
    path, backup = tmp_path / "journal.db", tmp_path / "backup"
    journal = StoredJournal(path, copies=backup, keep=Keep(copies=0))
    try:
        await until(lambda: journal.ready)
        await store(journal, arrived(1, "m1"))
    finally:
        await journal.close()
    assert not backup.exists()


def test_a_copy_that_cannot_be_made_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "FIRST", timedelta())
    monkeypatch.setattr(nightly, "CHECK_SECONDS", 0.01)
    Database(tmp_path / "journal.db").close()
    (tmp_path / "backup").write_text("a file where the directory belongs")
    warned = threading.Event()
    logged = []

    def take(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        logged.append(event["event"])
        warned.set()
        raise structlog.DropEvent

    monkeypatch.setattr(nightly, "log", structlog.wrap_logger(None, processors=[take]))
    thread = NightlyCopies(tmp_path / "journal.db", tmp_path / "backup", 3)
    thread.start()
    try:
        assert warned.wait(20)
        (tmp_path / "backup").unlink()
        done = threading.Event()
        while not copies.copies_in(tmp_path / "backup") and not done.wait(0.01):
            assert thread.is_alive()
    finally:
        thread.stop()
    assert logged[0] == "the journal was not copied"


def test_the_end_waits_for_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "FIRST", timedelta())
    monkeypatch.setattr(copies, "STEP_PAGES", 1)
    path = tmp_path / "journal.db"
    with closing(Database(path)) as database:
        database.store([arrived(1, *[f"m{each}" for each in range(2000)])])
    stopping = threading.Event()
    thread = NightlyCopies(path, tmp_path / "backup", 3)
    go_on = thread._check_stopping  # the moment between two steps shows nowhere else

    def wait() -> None:
        stopping.set()
        assert thread._stopping.wait(20)  # the moment between two steps
        go_on()

    monkeypatch.setattr(thread, "_check_stopping", wait)
    thread.start()
    assert stopping.wait(20)
    thread.stop()
    assert os.listdir(tmp_path / "backup") == []
    with closing(sqlite3.connect(path)) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)

"""What is forgotten, when, and what never is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.data import INBOUND
from runtime.gateway.journal import retention
from runtime.gateway.journal.conversations import EntriesAdded, SessionChanged, SessionDeleted
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.interface import Keep
from runtime.gateway.journal.outgoing import Attempt, Delivered, Queued
from runtime.gateway.journal.reader import JournalReader
from runtime.gateway.journal.records import Answered, Arrived, Kept
from runtime.gateway.journal.retention import Retention
from runtime.gateway.journal.runs import Recorded, RunEnded, RunMerged
from tests.support.conversations import asked, said, talk
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, arrived, outgoing, shown

DAY = 86400.0
NOW = time.time()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "journal.db")
    yield made
    made.close()


def days_ago(days: float) -> int:
    return int((NOW - days * DAY) * 1000)


def forget(database: Database, keep: Keep | None = None) -> int:
    """Take all steps there are, and return how many."""
    some = Retention(keep, clock=lambda: NOW)
    steps = 0
    while some.step(database):
        steps += 1
    assert not some.step(database)
    return steps


def left(database: Database) -> list[str]:
    reader = JournalReader(database.path)
    page = reader.after(KEY, (0, 0), 1 << 30, database.places[KEY])
    reader.close()
    return [shown(payload) for _, _, part in page.parts for payload in part.payloads]


def test_messages_go_by_age_and_the_floor_rises(database: Database) -> None:
    database.store([arrived(1, "a", at=days_ago(31)), arrived(2, "b", at=days_ago(29))])
    forget(database)
    assert left(database) == ["1:2 b"]
    assert database.places[KEY].floor == (1, 1)
    assert database.changed == {KEY}


def test_a_check_that_finds_nothing_writes_nothing(database: Database) -> None:
    database.store([arrived(1, "a")])
    log = database.path.with_name("journal.db-wal")
    before = log.stat().st_size
    forget(database)
    assert log.stat().st_size == before


def test_ids_are_remembered_for_a_week_longer_than_their_messages_if_need_be(
    database: Database,
) -> None:
    database.store([arrived(1, "a", at=days_ago(8)), arrived(2, "b", at=days_ago(6))])
    forget(database, Keep(seconds=DAY))
    assert left(database) == []
    kept = database.store([arrived(3, "a"), arrived(4, "b")])
    assert [each.repeated for each in kept if isinstance(each, Kept)] == [0, 1]
    assert database.places[KEY].known == 2


def test_an_account_remembers_so_many_ids_and_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "IDS", 10)
    monkeypatch.setattr(retention, "STEP_ROWS", 4)
    for number in range(1, 31):
        database.store([arrived(number, f"m{number}")])
    database.store([arrived(1, "other", key="irc:oftc")])
    assert forget(database) == 5
    assert database.places[KEY].known == 10
    assert database.places["irc:oftc"].known == 1
    kept = database.store([arrived(31, "m1"), arrived(32, "m30")])
    assert [each.repeated for each in kept if isinstance(each, Kept)] == [0, 1]


def test_a_step_forgets_a_bounded_number_of_ids(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "IDS", 10)
    monkeypatch.setattr(retention, "STEP_IDS", 7)
    names = [f"m{number}" for number in range(60)]
    for at in range(0, 60, 6):
        database.store([arrived(at + 1, *names[at : at + 6])])
    some = Retention(clock=lambda: NOW)
    known = [60]
    while some.step(database):
        known.append(database.places[KEY].known)
    assert known == [60, 48, 36, 24, 12, 0]  # by whole rows, six ids each


def test_messages_go_by_size_oldest_first_in_small_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", 5)
    now = int(NOW * 1000)
    for number in range(1, 101):
        large = payload(KEY, number, text="x" * 4000)
        database.store([Arrived(KEY, 1, number, bytes([INBOUND]), [large], [f"m{number}"], at=now)])
    before = database.size_bytes
    assert forget(database, Keep(size_bytes=before // 2)) > 3
    assert database.size_bytes <= before // 2
    numbers = [int(each.split()[0].partition(":")[2]) for each in left(database)]
    assert numbers == list(range(101 - len(numbers), 101))
    assert 0 < len(numbers) < 100


def test_what_is_not_settled_stays_for_an_hour(database: Database) -> None:
    recent, older = days_ago(0.01), days_ago(0.1)
    database.store([arrived(1, "a", at=older), arrived(2, "b", at=recent)])
    database.store([Answered(KEY, (1, 0))])
    forget(database, Keep(seconds=60.0))
    assert left(database) == ["1:2 b"]
    database.store([Answered(KEY, (1, 2))])
    forget(database, Keep(seconds=60.0))
    assert left(database) == []


def test_other_limits_count_at_once(database: Database) -> None:
    database.store([arrived(1, "a", at=days_ago(2))])
    some = Retention(clock=lambda: NOW)
    assert not some.step(database)
    some.set_keep(Keep(seconds=DAY))
    assert some.step(database)
    assert left(database) == []


def stored_by_a_clock_ahead(database: Database, count: int) -> None:
    """Store messages and entries a month ago: some while the clock was a year ahead, and one."""
    ahead, month = days_ago(31 - 365), days_ago(31)
    for number in range(1, count + 1):
        database.store([arrived(number, f"m{number}", at=ahead)])
    database.store([EntriesAdded(KEY, "old", said(*map(str, range(count)), at=ahead))])
    database.store([arrived(count + 1, "right again", at=month)])
    database.store([EntriesAdded(KEY, "old", said("right again", at=month))])
    database.store([arrived(count + 2, "new", at=days_ago(1))])


@pytest.mark.parametrize("count", [3, 25])
def test_what_came_while_the_clock_was_ahead_goes_with_what_came_then(
    database: Database, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", 10)
    stored_by_a_clock_ahead(database, count)
    forget(database)
    assert left(database) == [f"1:{count + 2} new"]
    assert talks(database)[1] == []
    assert database.places[KEY].known == 1


def test_a_clock_that_is_set_forward_makes_nothing_old_for_a_day(database: Database) -> None:
    database.store([arrived(1, "a", at=days_ago(1))])
    talked(database, "one", "x", days=1)
    now = NOW
    some = Retention(clock=lambda: now)
    assert not some.step(database)
    now += 365 * DAY
    for _ in range(3):
        assert not some.step(database)
        now += retention.CHECK_SECONDS
    assert left(database) == ["1:1 a"]
    assert talks(database)[1] == ["x"]
    assert database.places[KEY].known == 1
    some.set_keep(Keep(size_bytes=0))  # the size counts by any clock
    while some.step(database):
        pass
    assert left(database) == []


def test_a_host_that_begins_with_a_clock_far_ahead_forgets_nothing_at_once(
    database: Database,
) -> None:
    database.store([arrived(1, "a", at=days_ago(60))])
    forget(database)
    assert left(database) == ["1:1 a"]


def talked(database: Database, key: str, *texts: str, days: float, **fields: Any) -> None:
    """Store a session that was last spoken so many days ago, with these entries."""
    entries, row = said(*texts, at=days_ago(days)), talk(key, updated=days_ago(days), **fields)
    database.store([EntriesAdded(KEY, key, entries, row)])


def talks(database: Database) -> tuple[list[str], list[str]]:
    """Return the keys of all sessions, and the texts of all entries."""
    sessions = database.connection.execute("SELECT key FROM session ORDER BY key").fetchall()
    entries = database.connection.execute("SELECT text FROM entry ORDER BY n").fetchall()
    return [key for (key,) in sessions], [text for (text,) in entries]


def test_transcripts_go_by_age_and_what_a_person_has_set_stays(database: Database) -> None:
    talked(database, "old", "a", days=31)
    talked(database, "pinned", "b", days=31, pinned=True)
    talked(database, "named", days=31, label="Garden")
    talked(database, "set", days=31, settings={"model": "m"})
    talked(database, "new", "c", "d", days=29)
    database.store([SessionChanged(KEY, talk("spoken", updated=days_ago(31)))])
    database.store([EntriesAdded(KEY, "spoken", said("e", at=days_ago(1)))])
    forget(database)
    kept = ["named", "new", "pinned", "set", "spoken"]
    assert talks(database) == (kept, ["c", "d", "e"])


def test_a_deleted_transcript_goes_in_small_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP_ROWS", 5)
    talked(database, "one", *map(str, range(23)), days=0)
    database.store([SessionDeleted(KEY, "one")])
    talked(database, "one", "again", days=0)
    assert forget(database) == 5
    assert talks(database) == (["one"], ["again"])
    assert database.connection.execute("SELECT count(*) FROM gone").fetchone() == (0,)
    (new,) = database.store([EntriesAdded(KEY, "one", said("x"))])
    assert new == Recorded({}, first=25)


def test_runs_are_known_for_a_week_after_their_end_and_never_go_before(database: Database) -> None:
    def ended(run: str, days: float) -> RunEnded:
        return RunEnded(KEY, run, "s", "final", days_ago(days))

    runs = [asked(each, at=days_ago(40)) for each in ("open", "long", "short", "merged")]
    database.store([Answered(KEY, (1, 1), runs=runs), ended("long", 8), ended("short", 6)])
    database.store([RunMerged(KEY, "merged", "long", days_ago(8))])
    forget(database)
    rows = database.connection.execute("SELECT id FROM run ORDER BY n").fetchall()
    assert [each for (each,) in rows] == ["open", "short"]


def test_what_is_oldest_goes_first_when_the_journal_is_too_large(database: Database) -> None:
    talked(database, "one", *["x" * 4000] * 50, days=3)
    large = payload(KEY, 1, text="x" * 200_000)
    database.store([Arrived(KEY, 1, 1, bytes([INBOUND]), [large], ["m"], at=days_ago(2))])
    talked(database, "two", *["y" * 4000] * 50, days=1)
    forget(database, Keep(size_bytes=database.size_bytes - 100_000))
    assert (talks(database)[1][0][:1], left(database)) == ("y", ["1:1 m1"])
    forget(database, Keep(size_bytes=database.size_bytes - 100_000))
    assert (len(talks(database)[1]), left(database)) == (50, [])
    forget(database, Keep(size_bytes=0))
    assert talks(database)[1] == []


def test_what_is_still_to_be_sent_stays_however_old_it_seems(database: Database) -> None:
    keys = ["queued", "attempting", "sent"]  # the clock was set forward since
    database.store([Queued(KEY, outgoing(each, at=days_ago(40))) for each in keys])
    database.store([Attempt(KEY, "attempting", 1, 1, 1, 1), Delivered(KEY, "sent", [])])
    forget(database)
    rows = database.connection.execute("SELECT key FROM outgoing ORDER BY n").fetchall()
    assert [each for (each,) in rows] == ["queued", "attempting"]

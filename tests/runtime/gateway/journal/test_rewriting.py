"""Stored frames are rewritten, what was in them is gone from the disk, and the quota holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.gateway.journal import retention
from runtime.gateway.journal.checkpoints import Checkpoints
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.interface import Keep
from runtime.gateway.journal.reader import JournalReader
from runtime.gateway.journal.records import Answered, Arrived, Place, Withheld
from runtime.gateway.journal.retention import Retention
from runtime.gateway.journal.rewriting import redactions_in
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, arrived, shown

SECRET = "the secret text "
OTHER = "irc:oftc"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "journal.db")
    yield made
    made.close()


def long(first: int, count: int) -> Arrived:
    """Return messages that fill several pages each."""
    some = [payload(KEY, each, text=SECRET * 600) for each in range(first, first + count)]
    now = int(time.time() * 1000)
    return Arrived(
        KEY, 1, first, b"\3" * count, some, [f"m{first + n}" for n in range(count)], at=now
    )


def dropped(*numbers: int) -> Answered:
    drops = [Withheld((1, number), "blocked") for number in numbers]
    return Answered(KEY, (1, max(numbers)), redactions=drops)


def place_of(database: Database) -> Place:
    return database.places[KEY]


def on_disk(path: Path) -> int:
    """Return how often the secret text stands in the files, whether they are in use or not."""
    return sum(each.read_bytes().count(SECRET.encode()) for each in path.parent.iterdir())


def test_nothing_of_a_redacted_message_stays_on_the_disk(database: Database) -> None:
    checkpoints = Checkpoints(database.path, database.connection)
    database.store([long(1, 3)])
    checkpoints.finish()  # into the file itself
    assert on_disk(database.path) > 1000
    database.store([dropped(1, 2, 3)])
    checkpoints.on_commit(10)
    checkpoints.on_redaction()
    assert checkpoints.empties_in == 0.0
    while checkpoints.empties_in is not None:
        checkpoints.on_idle()
        checkpoints.wait_idle()
    checkpoints.stop()
    assert on_disk(database.path) == 0


def test_the_log_is_not_emptied_again_and_again_nor_while_something_reads(
    database: Database,
) -> None:
    checkpoints = Checkpoints(database.path, database.connection)
    database.store([arrived(1, "a")])
    reader = JournalReader(database.path)
    # A read that lasts.
    reading = reader._connection.execute("SELECT pos FROM pack UNION ALL SELECT 1")
    assert reading.fetchone()
    database.store([dropped(1)])
    checkpoints.on_redaction()
    checkpoints.finish()
    checkpoints.on_idle()
    assert checkpoints.empties_in is not None
    assert checkpoints.empties_in > 1
    reading.close()
    reader.close()


def test_rows_are_looked_up_by_their_keys(database: Database) -> None:
    database.store([arrived(1, "a", "b"), arrived(1, "a", key=OTHER)])
    database.store([arrived(3, "c")])
    found = redactions_in(database.connection, [dropped(2), dropped(3)], database.places)
    assert len(found.bodies) == 2
    assert list(found.grown) == [place_of(database).number]
    plan = "EXPLAIN QUERY PLAN " + found.statement[0]
    steps = [row[3] for row in database.connection.execute(plan, found.statement[1])]
    assert any("pack USING INTEGER PRIMARY KEY" in each for each in steps), steps
    assert redactions_in(database.connection, [dropped(2)], {}).bodies == {}


def test_beyond_the_quota_the_oldest_remains_go_and_the_next_message_names_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for first in range(1, 101, 4):
        database.store([arrived(first, *(f"m{first + n}" for n in range(4)))])
    database.store([dropped(*(number for number in range(1, 101) if number % 4))])
    before = place_of(database).withheld
    monkeypatch.setattr(retention, "QUOTA_BYTES", before // 2)
    tending = Retention()
    while tending.step(database):
        pass
    assert before // 10 < place_of(database).withheld <= before // 2
    reader = JournalReader(database.path)
    page = reader.after(KEY, (0, 0), 1 << 20, place_of(database))
    seen = [shown(each) for _, _, part in page.parts for each in part.payloads]
    assert seen[:2] == ["1:4 m4 skips [[1, 3]]", "1:8 m8 skips [[5, 7]]"]
    assert seen[-4:] == ["1:97 m97", "1:98 m98", "1:99 m99", "1:100 m100"]
    reader.close()


def test_what_goes_with_age_counts_no_more(database: Database) -> None:
    old = int(time.time() * 1000) - 10_000
    database.store([arrived(1, "a", "b", at=old), arrived(3, "c")])
    database.store([dropped(1, 2, 3)])
    before = place_of(database).withheld
    tending = Retention(Keep(seconds=5))
    while tending.step(database):
        pass
    assert place_of(database).withheld * 3 == pytest.approx(before, abs=6)

"""When the log is moved into the journal's file, by which thread, and how long it becomes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from runtime.gateway.journal.checkpoints import (
    CEILING_PAGES,
    LIMIT_PAGES,
    STEP_PAGES,
    Checkpoints,
    Step,
    next_step,
)
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.reader import JournalReader, connect
from tests.support.journals import KEY, arrived

PAGE = 4096 + 24  # in the log, with its header
COMMIT_PAGES = 208  # of ``Flooded``


@pytest.mark.parametrize(
    ("pages", "since", "state", "expected"),
    [
        (10, 10, "fresh", Step.NOTHING),
        (STEP_PAGES, STEP_PAGES, "fresh", Step.BEGIN),
        (STEP_PAGES, STEP_PAGES, "", Step.NOTHING),  # nothing keeps the log from beginning anew
        (STEP_PAGES, STEP_PAGES, "passed fresh", Step.BEGIN),
        (STEP_PAGES, STEP_PAGES, "under_way", Step.NOTHING),
        (LIMIT_PAGES + 1, 5, "passed", Step.FINISH),
        (LIMIT_PAGES + 1, 5, "under_way passed", Step.NOTHING),
        (LIMIT_PAGES + 1, 5, "fresh", Step.NOTHING),  # a reader needs it: not at each commit
        (LIMIT_PAGES + 1, STEP_PAGES, "fresh", Step.BEGIN),
        (CEILING_PAGES + 1, 5, "under_way passed", Step.WAIT),
        (CEILING_PAGES + 1, 5, "passed", Step.WAIT),
        (CEILING_PAGES + 1, 5, "fresh", Step.NOTHING),
        (CEILING_PAGES + 1, STEP_PAGES, "fresh", Step.BEGIN),
    ],
)
def test_steps(pages: int, since: int, state: str, expected: Step) -> None:
    words = {word: word in state.split() for word in ("under_way", "passed", "fresh")}
    assert next_step(pages, since, **words) is expected


class Flooded:
    """A journal that stores as fast as it can, in commits of 250 KiB."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self.waited = 0  # times that it has waited for readers
        self.checkpoints = Checkpoints(path, cast(sqlite3.Connection, self))
        self._log = path.with_name(f"{path.name}-wal")
        self._number = count(1)

    def execute(self, statement: str) -> sqlite3.Cursor:
        """Do what the writer's connection does, and count."""
        self.waited += "RESTART" in statement
        return self.database.connection.execute(statement)

    def commit(self) -> None:
        """Store 50 messages of 5 KiB."""
        numbers = [next(self._number) for _ in range(50)]
        self.database.store([arrived(each, f"{each:05000}") for each in numbers])
        self.checkpoints.on_commit(COMMIT_PAGES)

    @property
    def log_pages(self) -> int:
        """How many pages the log's file has room for."""
        return self._log.stat().st_size // PAGE

    def moved(self) -> bool:
        """Return whether the log has nothing that the file has not."""
        found = self.database.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return bool(found[1] == found[2])

    def close(self) -> None:
        """End it."""
        self.checkpoints.stop()
        self.database.close()


@pytest.fixture
def flooded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flooded]:
    """Return a journal whose log has a limit of 500 pages, and a ceiling of 1,000."""
    monkeypatch.setattr("runtime.gateway.journal.checkpoints.LIMIT_PAGES", 500)
    monkeypatch.setattr("runtime.gateway.journal.checkpoints.CEILING_PAGES", 1000)
    with closing(Flooded(tmp_path / "journal.db")) as flooded:
        flooded.commit()
        yield flooded


def test_the_log_of_a_flood_begins_anew_again_and_again(flooded: Flooded, tmp_path: Path) -> None:
    for _ in range(29):
        flooded.commit()
    assert flooded.log_pages < 1000 + 2 * COMMIT_PAGES  # of 6,240 pages
    flooded.checkpoints.finish()
    with closing(connect(tmp_path / "journal.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM seen").fetchone() == (1500,)


def test_the_log_of_a_flood_beside_constant_reading_has_an_end(
    flooded: Flooded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.gateway.journal.checkpoints.PATIENCE_MS", 4000)  # a busy host
    ended = threading.Event()

    def read() -> None:
        with closing(JournalReader(tmp_path / "journal.db")) as reader:
            while not ended.is_set():
                reader.after(KEY, (1, 0), 1 << 20, None)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for _ in range(29):
            flooded.commit()
        assert flooded.log_pages < 1000 + 6 * COMMIT_PAGES  # of 6,240 pages
    finally:
        ended.set()
        thread.join()


def test_a_long_reader_lets_the_log_grow_and_is_not_waited_for_each_time(
    flooded: Flooded, tmp_path: Path
) -> None:
    with closing(connect(tmp_path / "journal.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM pack").fetchone()
        for _ in range(14):
            flooded.commit()
        assert flooded.log_pages > 14 * COMMIT_PAGES * 0.9  # it is needed
        assert 1 <= flooded.waited <= 14 * COMMIT_PAGES // 500
    for _ in range(5):
        flooded.commit()
    before = flooded.log_pages
    for _ in range(5):
        flooded.commit()
    assert flooded.log_pages == before  # and is used again


def test_readers_are_waited_for_at_the_ceiling_again_once_the_log_was_free(
    flooded: Flooded, tmp_path: Path
) -> None:
    waited = []
    for commits in (20, 10):
        with closing(connect(tmp_path / "journal.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM pack").fetchone()
            for _ in range(commits):
                flooded.commit()
        waited.append(flooded.waited)
        for _ in range(4):  # it begins anew
            flooded.commit()
    assert 0 < waited[0] < waited[1]


def test_all_is_moved_when_there_is_time(flooded: Flooded) -> None:
    flooded.commit()
    while flooded.checkpoints.on_idle():
        flooded.checkpoints.wait_idle()
    assert flooded.moved()
    flooded.checkpoints.on_write()  # whether it has is not known
    assert not flooded.checkpoints.on_idle()


def test_what_goes_wrong_on_the_thread_is_raised_where_records_are_stored(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "journal.db")) as writer:
        checkpoints = Checkpoints(tmp_path / "nowhere" / "journal.db", writer)
        checkpoints.on_commit(STEP_PAGES)
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            checkpoints.wait_idle()
        checkpoints.wait_idle()  # once
        checkpoints.stop()

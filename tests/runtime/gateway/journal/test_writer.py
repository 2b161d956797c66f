"""The writer's thread: groups, order, faults, its end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runtime.gateway.journal.writer import (
    Ended,
    Event,
    Failed,
    FaultChanged,
    JobDone,
    Opened,
    Stored,
    Writer,
)
from tests.support.journals import KEY, arrived
from tests.support.tiny_disk import fill, tiny_disk
from tests.support.until import until


class Watched:
    """A writer, and what it has reported."""

    def __init__(self, path: Path) -> None:
        self.events: list[Event] = []
        loop = asyncio.get_running_loop()
        self.writer = Writer(path, loop, self.events.append, self.tend)
        self.tended = 0

    def tend(self, database: object) -> bool:
        self.tended += 1
        return False

    @property
    def outcomes(self) -> int:
        return sum(len(event.outcomes) for event in self.events if isinstance(event, Stored))

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    async def end(self) -> None:
        self.writer.stop()
        await until(lambda: self.of(Ended))
        self.writer.join()


async def test_what_comes_during_a_commit_is_the_next_one(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "journal.db")
    for number in range(1, 101):
        watched.writer.put([arrived(number, f"m{number}")])
    watched.writer.start()
    await until(lambda: watched.outcomes == 100)
    assert len(watched.of(Stored)) <= 2
    assert isinstance(watched.events[0], Opened)
    await watched.end()
    assert isinstance(watched.events[-1], Ended)


async def test_what_is_queued_is_stored_before_the_end(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "journal.db")
    watched.writer.start()
    watched.writer.put([arrived(1, "a")])
    await watched.end()
    (stored,) = watched.of(Stored)
    assert isinstance(stored, Stored)
    assert stored.places[KEY].newest == (1, 1)


async def test_a_job_runs_after_what_was_queued_before_it_and_its_error_is_its_own(
    tmp_path: Path,
) -> None:
    watched = Watched(tmp_path / "journal.db")
    watched.writer.put([arrived(1, "a")])
    watched.writer.put((7, lambda database: database.places[KEY].seq))
    watched.writer.put((8, lambda database: database.places["nobody"]))
    watched.writer.put([arrived(2, "b")])
    watched.writer.start()
    await until(lambda: len(watched.of(Stored)) == 2)
    done = watched.of(JobDone)
    assert [(each.number, each.result) for each in done if isinstance(each, JobDone)] == [
        (7, 1),
        (8, None),
    ]
    assert isinstance(done[1], JobDone)
    assert isinstance(done[1].error, KeyError)
    await until(lambda: watched.tended)
    await watched.end()


async def test_a_file_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    place = tmp_path / "later"
    watched = Watched(place / "journal.db")
    watched.writer.start()
    await until(lambda: watched.of(FaultChanged))
    (fault,) = watched.of(FaultChanged)
    assert isinstance(fault, FaultChanged)
    assert "cannot be opened" in str(fault.why)
    place.mkdir()
    await until(lambda: watched.of(Opened))
    assert watched.of(FaultChanged)[-1] == FaultChanged(None)
    await watched.end()


async def test_a_read_only_file_is_opened_again_until_it_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, writable = tmp_path / "journal.db", False
    monkeypatch.setattr("runtime.gateway.journal.writer.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("os.access", lambda *asked, **how: writable)
    watched = Watched(path)
    watched.writer.put([arrived(1, "a")])
    watched.writer.start()
    await until(lambda: watched.of(FaultChanged))
    (fault,) = watched.of(FaultChanged)
    assert isinstance(fault, FaultChanged)
    assert str(fault.why).startswith(f"{path} cannot be opened: it is read-only; ")
    writable = True
    await until(lambda: watched.outcomes == 1)
    await watched.end()


async def test_on_a_full_disk_the_file_is_opened_with_the_room_of_its_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.gateway.journal.writer.RETRY_SECONDS", 0.01)
    with tiny_disk(tmp_path / "disk", 128) as disk:
        before = Watched(disk / "journal.db")
        before.writer.put([arrived(1, "a")])
        before.writer.start()
        await until(lambda: before.outcomes == 1)
        await before.end()
        assert (disk / "journal.db-reserve").exists()
        fill(disk)
        watched = Watched(disk / "journal.db")
        watched.writer.put([arrived(2, "b")])
        watched.writer.start()
        await until(lambda: watched.of(Opened))
        assert not (disk / "journal.db-reserve").exists()
        await watched.end()


async def test_an_error_of_our_own_ends_the_thread_and_is_reported(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "journal.db")
    watched.writer.put([object()])  # type: ignore[list-item]
    watched.writer.start()
    await until(lambda: watched.of(Ended))
    assert watched.of(Failed)
    watched.writer.join()


async def test_a_flood_is_stored_in_shares_and_nobody_waits_for_all_of_it(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "journal.db")
    flood = [arrived(number, f"{number:040000}") for number in range(1, 9)]
    watched.writer.put([*flood, arrived(1, "b", key="irc:oftc")])
    watched.writer.put((7, lambda database: database.places[KEY].seq))
    watched.writer.start()
    await until(lambda: watched.of(JobDone))
    stored = [each for each in watched.of(Stored) if isinstance(each, Stored)]
    assert [each.numbers for each in stored] == [[0, 8], *([number] for number in range(1, 8))]
    (done,) = watched.of(JobDone)
    assert isinstance(done, JobDone)
    assert done.result == 8  # a job comes after all of it
    watched.writer.put([arrived(9, "m9")])
    await until(lambda: watched.outcomes == 10)
    await watched.end()

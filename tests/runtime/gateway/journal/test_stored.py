"""The journal in a file, as the event loop sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from runtime.gateway.journal import writer
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.interface import Keep
from runtime.gateway.journal.records import Outcome, Record
from runtime.gateway.journal.runs import RunQueued
from runtime.gateway.journal.stored import StoredJournal
from tests.support.conversations import asked
from tests.support.journals import KEY, arrived, everything, journal_of, store
from tests.support.until import until


async def test_a_journal_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    async with journal_of("stored", tmp_path) as journal:
        await store(journal, arrived(1, "a", cursor=b"7"))
        journal.append(arrived(2, "b"))
    async with journal_of("stored", tmp_path) as journal:
        place = journal.place(KEY)
        assert place is not None
        assert (place.newest, place.cursor) == ((1, 2), b"7")
        assert await everything(journal) == ["1:1 a", "1:2 b"]


async def test_what_waits_is_counted_until_it_is_stored(tmp_path: Path) -> None:
    async with journal_of("stored", tmp_path) as journal:
        journal.append(arrived(1, "a" * 1000))
        assert journal.waiting_bytes > 1000
        journal.flush()
        await until(lambda: not journal.waiting_bytes)
        assert journal.commits == 1


async def test_results_come_in_the_order_of_the_records(tmp_path: Path) -> None:
    order: list[int] = []
    async with journal_of("stored", tmp_path) as journal:
        for number in range(1, 50):
            record = arrived(number, f"m{number}")
            journal.append(record, lambda kept, number=number: order.append(number))  # type: ignore[misc]
            if number % 7 == 0:
                journal.flush()
                await asyncio.sleep(0)
        journal.flush()
        await until(lambda: not journal.waiting_bytes)
    assert order == list(range(1, 50))


async def test_a_commit_is_reported_after_its_results(tmp_path: Path) -> None:
    seen: list[str] = []
    journal = StoredJournal(tmp_path / "journal.db", on_commit=lambda: seen.append("commit"))
    await until(lambda: journal.ready)
    for number, name in enumerate(("a", "b"), 1):
        journal.append(arrived(number, name), lambda _, name=name: seen.append(name))  # type: ignore[misc]
    journal.flush()
    await until(lambda: "commit" in seen)
    assert seen == ["a", "b", "commit"]
    await journal.close()


async def test_other_limits_apply_at_once_although_nothing_is_stored(tmp_path: Path) -> None:
    days = 86400.0
    journal = StoredJournal(tmp_path / "journal.db")
    await store(journal, arrived(1, "a", at=int((time.time() - 10 * days) * 1000)))
    await asyncio.sleep(3 * writer.IDLE_SECONDS)  # it has nothing to do any more
    assert await everything(journal) == ["1:1 a"]
    journal.set_keep(Keep(seconds=days))

    def is_deleted() -> bool:
        place = journal.place(KEY)
        return place is not None and place.floor == (1, 1)

    await until(is_deleted)
    assert await everything(journal) == []
    await journal.close()


async def test_what_becomes_too_old_is_deleted_although_nothing_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr("runtime.gateway.journal.retention.CHECK_SECONDS", 0.01)
    journal = StoredJournal(tmp_path / "journal.db", keep=Keep(seconds=1.0))
    await store(journal, arrived(1, "a"))
    await until(lambda: (place := journal.place(KEY)) and place.floor)
    await journal.close()


async def test_a_job_s_error_is_raised_where_it_was_asked_for(tmp_path: Path) -> None:
    journal = StoredJournal(tmp_path / "journal.db")
    assert await journal.run(lambda database: database.path) == tmp_path / "journal.db"
    with pytest.raises(ZeroDivisionError):
        await journal.run(lambda database: 1 // 0)
    await journal.close()


async def test_a_file_of_a_newer_version_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    database.connection.execute("PRAGMA user_version=99")
    database.close()
    whys: list[str] = []

    def on_failure(why: str, final: bool) -> None:
        whys.append(f"{why} {final}")

    journal = StoredJournal(tmp_path / "journal.db", on_failure=on_failure)
    await until(lambda: whys)
    assert "has version 99" in whys[0]
    assert whys[0].endswith(" True")
    assert not journal.ready
    await journal.close()


async def test_a_full_disk_holds_everything_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    changes: list[str | None] = []
    journal = StoredJournal(
        tmp_path / "journal.db", on_change=lambda: changes.append(journal.fault)
    )
    await until(lambda: journal.ready)
    await store(journal, arrived(1, "a"))
    await journal.run(partial(_limit, 1))
    done: list[object] = []
    for number in range(2, 40):
        journal.append(arrived(number, f"m{number}" + "x" * 400), done.append)
    journal.flush()
    await until(lambda: journal.fault)
    assert (done, journal.fault) == ([], "journal full")
    assert journal.waiting_bytes > 10_000
    assert await everything(journal) == ["1:1 a"]
    store_one = Database.store

    def with_room(database: Database, records: Iterable[Record]) -> list[Outcome]:
        _limit(1_000_000, database)
        return store_one(database, records)

    monkeypatch.setattr(Database, "store", with_room)  # its thread tries again, by itself
    await until(lambda: len(done) == 38)
    assert changes[-1] is None
    await journal.close()


def _limit(pages: int, database: Database) -> None:
    database.connection.execute(f"PRAGMA max_page_count={pages}")


async def test_a_stop_does_not_wait_for_room(tmp_path: Path) -> None:
    journal = StoredJournal(tmp_path / "journal.db")
    await until(lambda: journal.ready)
    await store(journal, arrived(1, "a"))
    await journal.run(partial(_limit, 1))
    journal.append(arrived(2, "x" * 20_000))
    journal.flush()
    await until(lambda: journal.fault)
    await journal.close()
    async with journal_of("stored", tmp_path) as again:
        assert await everything(again) == ["1:1 a"]


async def test_keys_of_agents_are_known_again_and_are_no_accounts(tmp_path: Path) -> None:
    for _ in range(2):
        async with journal_of("stored", tmp_path) as journal:
            await store(journal, RunQueued("agent:echo", asked("r")))
            await store(journal, arrived(1, "a"))
            assert (set(journal.keys()), list(journal.accounts())) == ({KEY, "agent:echo"}, [KEY])
            assert [each.id for each in await journal.open_runs("agent:echo")] == ["r"]

"""Runs that are over, read from a real journal beside its writer."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from runtime.gateway.journal.interface import FILE, Journal
from runtime.gateway.journal.outgoing import Delivered, GivenUp, OutgoingMessage, Postponed, Queued
from runtime.gateway.journal.runs import ReplyTarget, RunEnded, RunQueued, RunStarted
from runtime.gateway.telemetry.journal_source import (
    SCAN_ROWS,
    EndedRun,
    EndedSend,
    RunSource,
    Scan,
    SendSource,
)
from tests.support.conversations import NOW, asked
from tests.support.journals import KEY, journal_of, outgoing, store

REPLY = ReplyTarget(KEY, "ada")


def ended(run: str, *answers: OutgoingMessage) -> RunEnded:
    return RunEnded(KEY, run, "s", "final", NOW + 5, answer="yes", answers=[*answers])


async def scan(source: RunSource | SendSource, position: int = 0, *waiting: int) -> Scan:
    return await asyncio.to_thread(source.poll, position, waiting)


def runs_of(found: Scan) -> list[EndedRun]:
    """Return the runs of a scan, as what they are."""
    return [each for each in found.ended if isinstance(each, EndedRun)]


async def test_a_run_is_over_once_its_answer_is(tmp_path: Path) -> None:
    async with journal_of("stored", tmp_path) as journal:
        source = RunSource(tmp_path / FILE)
        run = replace(asked("r"), reply=REPLY)
        await store(journal, RunQueued(KEY, run), RunQueued(KEY, replace(run, id="q", reply=None)))
        assert await scan(source) == Scan([], [1, 2], 2, 0, more=False)
        await store(journal, RunStarted(KEY, "r", 1, NOW + 1))
        await store(journal, ended("r", outgoing("run:r")), ended("q"))
        found = await scan(source, 2, 1, 2)
        assert [(each.number, each.rows) for each in runs_of(found)] == [(2, [])]
        assert found.waiting == [1]
        await store(journal, Delivered(KEY, "run:r", [], NOW + 9))
        (one,) = runs_of(await scan(source, 2, 1))
        assert (one.run.started, one.run.ended) == (NOW + 1, NOW + 5)
        assert [(row.state, row.ended) for row in one.rows] == [("sent", NOW + 9)]


async def test_previews_and_what_was_given_up_belong_to_a_run_and_other_sends_do_not(
    tmp_path: Path,
) -> None:
    async with journal_of("stored", tmp_path) as journal:
        source = RunSource(tmp_path / FILE)
        await store(journal, RunQueued(KEY, replace(asked("r"), reply=REPLY)))
        await store(journal, Queued(KEY, outgoing("run:r/preview", origin="preview")))
        await store(journal, Queued(KEY, outgoing("other")))
        await store(journal, ended("r", outgoing("run:r")))
        await store(journal, Postponed(KEY, "run:r", 5, "busy"))
        assert (await scan(source)).waiting == [1]
        await store(journal, GivenUp(KEY, "run:r", "expired", at=7))
        assert (await scan(source)).waiting == [1]
        await store(journal, Delivered(KEY, "run:r/preview", [], 8))
        (one,) = runs_of(await scan(source))
        assert [row.key for row in one.rows] == ["run:r/preview", "run:r"]


async def test_what_clients_have_sent_is_over_once_it_was_sent_or_given_up(tmp_path: Path) -> None:
    async with journal_of("stored", tmp_path) as journal:
        source = SendSource(tmp_path / FILE)
        await store(journal, RunQueued(KEY, replace(asked("r"), reply=REPLY)))
        await store(journal, ended("r", outgoing("run:r", origin="agent")))
        await store(journal, Queued(KEY, outgoing("run:q/preview", origin="preview")))
        await store(journal, *(Queued(KEY, outgoing(key)) for key in ("one", "two")))
        await store(journal, Queued(KEY, outgoing("three", origin="queue")))
        found = await scan(source)
        assert (found.waiting, found.position) == ([3, 4, 5], 5)
        await store(journal, Delivered(KEY, "one", [], NOW), GivenUp(KEY, "three", "expired", at=7))
        found = await scan(source, 5, 3, 4, 5)
        assert found.waiting == [4]
        sends = [each for each in found.ended if isinstance(each, EndedSend)]
        ways = [(each.account, each.row.key, each.row.state, each.over_at) for each in sends]
        assert ways == [(KEY, "one", "sent", NOW), (KEY, "three", "expired", 7)]


async def test_many_runs_come_in_pages_and_a_new_file_is_begun_at_its_beginning(
    tmp_path: Path,
) -> None:
    async with journal_of("stored", tmp_path) as journal:
        source = RunSource(tmp_path / FILE)
        await fill(journal, SCAN_ROWS + 1)
        first = await scan(source)
        assert (len(first.ended), first.position, first.more) == (SCAN_ROWS, SCAN_ROWS, True)
        rest = await scan(source, first.position)
        assert (len(rest.ended), rest.position, rest.more) == (1, SCAN_ROWS + 1, False)
        assert (await scan(source, 10_000)).position == SCAN_ROWS + 1
        assert (await scan(source, SCAN_ROWS + 1, 9_999)).waiting == []  # it was pruned
        assert await asyncio.to_thread(source.position_before, NOW) == 0
        assert await asyncio.to_thread(source.position_before, NOW + 9) == SCAN_ROWS + 1


async def fill(journal: Journal, count: int) -> None:
    """Store runs that are over."""
    runs = [asked(f"r{number}", state="final", at=NOW, ended=NOW + 1) for number in range(count)]
    await store(journal, *(RunQueued(KEY, replace(run, reply=None)) for run in runs))


async def test_before_there_is_a_journal_nothing_is_found(tmp_path: Path) -> None:
    source = RunSource(tmp_path / FILE)
    assert await asyncio.to_thread(source.position_before, NOW) == 0
    assert await scan(source, 0) == Scan([], [], 0, 0, more=False)
    assert not await asyncio.to_thread((tmp_path / FILE).exists)


@pytest.mark.parametrize("row", [b"{", b'{"id": 5}'])
async def test_what_cannot_be_read_is_counted(tmp_path: Path, row: bytes) -> None:
    async with journal_of("stored", tmp_path) as journal:
        await store(journal, RunQueued(KEY, asked("r")), ended("r"))
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("UPDATE run SET row = ?", (row.decode(),))
    assert await scan(RunSource(tmp_path / FILE)) == Scan([], [], 1, 1, more=False)

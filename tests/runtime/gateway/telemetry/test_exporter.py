"""The program that exports: what it does with a journal and a collector that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from runtime.gateway.journal.interface import FILE, Journal
from runtime.gateway.journal.outgoing import Delivered, Queued
from runtime.gateway.journal.runs import RunQueued
from runtime.gateway.telemetry.exchange import Counts
from runtime.gateway.telemetry.exporter import POLL_SECONDS, Exporter
from runtime.gateway.telemetry.journal_source import SCAN_ROWS
from runtime.gateway.telemetry.progress import KEPT_MS, ExportState
from runtime.gateway.telemetry.spans import Trace, trace_id
from tests.support.conversations import NOW, asked
from tests.support.journals import KEY, journal_of, outgoing, store


class Sink:
    """Takes traces while it is ``well``; leaves out those in ``unsampled``."""

    def __init__(self) -> None:
        self.well = True
        self.traces: list[Trace] = []
        self.unsampled: set[int] = set()

    def export(self, traces: Sequence[Trace]) -> tuple[int, str]:
        if not self.well:
            return 0, "Connection refused"
        kept = [each for each in traces if each.id not in self.unsampled]
        self.traces += kept
        return len(traces) - len(kept), ""


class Rig:
    """An exporter, and what it has reported."""

    def __init__(self, directory: Path, sink: Sink) -> None:
        self.reports: list[Counts] = []
        journal, state = directory / FILE, directory / "traces.json"
        self.exporter = Exporter(journal, sink, state, NOW - KEPT_MS, self.reports.append)

    async def step(self) -> float:
        """Let it look once."""
        return await asyncio.to_thread(self.exporter.step)


async def over(journal: Journal, *names: str, ended: int = NOW) -> None:
    """Store runs that are over."""
    runs = [asked(name, state="final", at=ended, ended=ended, reply=None) for name in names]
    await store(journal, *(RunQueued(KEY, run) for run in runs))


async def test_each_run_that_is_over_is_exported_once_over_restarts_of_the_exporter(
    tmp_path: Path,
) -> None:
    sink = Sink()
    async with journal_of("stored", tmp_path) as journal:
        rig = Rig(tmp_path, sink)
        assert await rig.step() == POLL_SECONDS
        await over(journal, "a", "b")
        sink.unsampled = {trace_id("b")}
        await rig.step()
        await rig.step()
        assert [each.id for each in sink.traces] == [trace_id("a")]
        assert [(each.exported, each.unsampled) for each in rig.reports] == [(0, 0), (1, 1)]
        await over(journal, "c")
        again = Rig(tmp_path, sink)
        await again.step()
        await again.step()
        assert [each.id for each in sink.traces] == [trace_id("a"), trace_id("c")]


async def test_what_a_client_has_sent_is_exported_once_beside_the_runs(tmp_path: Path) -> None:
    sink = Sink()
    async with journal_of("stored", tmp_path) as journal:
        rig = Rig(tmp_path, sink)
        await rig.step()
        await store(journal, Queued(KEY, outgoing("mine")), Queued(KEY, outgoing("late")))
        await store(journal, Delivered(KEY, "mine", [], NOW))
        await over(journal, "a")
        sink.well = False
        await rig.step()
        sink.well = True
        await rig.step()
        await rig.step()
        assert rig.reports[-1].waiting == 1
        await store(journal, Delivered(KEY, "late", [], NOW))
        await Rig(tmp_path, sink).step()
    first = [each.spans[0] for each in sink.traces]
    assert [each.name for each in first] == ["message", "send", "send"]
    shown = [each.attributes.get("trunkline.outbox") for each in first]
    assert shown == [None, "id-mine", "id-late"]
    assert sum(each.exported for each in rig.reports) == 2


async def test_what_was_there_before_traces_were_switched_on_is_not_exported(
    tmp_path: Path,
) -> None:
    sink = Sink()
    async with journal_of("stored", tmp_path) as journal:
        await over(journal, "old", ended=NOW - 2 * KEPT_MS)
        await over(journal, "new")
        await Rig(tmp_path, sink).step()
    assert [each.id for each in sink.traces] == [trace_id("new")]


async def test_an_exporter_that_dies_before_its_first_export_leaves_it_to_the_next(
    tmp_path: Path,
) -> None:
    sink = Sink()
    sink.well = False
    async with journal_of("stored", tmp_path) as journal:
        await over(journal, "a")
        await Rig(tmp_path, sink).step()
        sink.well = True
        later = Rig(tmp_path, sink)
        later.exporter._since = NOW + KEPT_MS  # its gateway began after the message
        await later.step()
    assert [each.id for each in sink.traces] == [trace_id("a")]


async def test_a_collector_that_takes_nothing_is_asked_less_often_and_told_of_once(
    tmp_path: Path,
) -> None:
    sink = Sink()
    sink.well = False
    async with journal_of("stored", tmp_path) as journal:
        rig = Rig(tmp_path, sink)
        await over(journal, "old", ended=NOW - KEPT_MS + 1)
        await over(journal, "new", ended=NOW + 10 * KEPT_MS)
        assert [await rig.step() for _ in range(3)] == [1.0, 2.0, 4.0]
        problems = [each.problem for each in rig.reports]
        assert problems == ["Connection refused"] * len(problems)
        assert sum(each.dropped.get("unreachable", 0) for each in rig.reports) <= 1
        sink.well = True
        assert await rig.step() == POLL_SECONDS
        assert rig.reports[-1].problem == ""
        assert trace_id("new") in [each.id for each in sink.traces]


async def test_what_is_behind_is_made_up_without_a_pause(tmp_path: Path) -> None:
    sink = Sink()
    async with journal_of("stored", tmp_path) as journal:
        rig = Rig(tmp_path, sink)
        await over(journal, *(f"r{number}" for number in range(SCAN_ROWS + 1)))
        assert [await rig.step(), await rig.step()] == [0.0, POLL_SECONDS]
    assert len(sink.traces) == SCAN_ROWS + 1


async def test_a_damaged_state_begins_anew(tmp_path: Path) -> None:
    for damaged in (b"{", msgspec.json.encode({"runs": {"position": "x"}})):
        (tmp_path / "traces.json").write_bytes(damaged)
        rig = Rig(tmp_path, Sink())
        assert rig.exporter.progress == ExportState()


async def test_a_journal_that_cannot_be_read_is_told_of_when_that_lasts(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database, but long enough to look like one at first")
    sink = Sink()
    rig = Rig(tmp_path, sink)
    assert [await rig.step() for _ in range(3)] == [1.0, 2.0, 4.0]
    assert [each.problem for each in rig.reports][:1] == [""]
    assert rig.reports[-1].problem.startswith("the journal cannot be read: ")
    (tmp_path / FILE).unlink()
    async with journal_of("stored", tmp_path) as journal:
        await over(journal, "a")
        assert await rig.step() == POLL_SECONDS
        assert rig.reports[-1].problem == ""
    assert [each.id for each in sink.traces] == [trace_id("a")]

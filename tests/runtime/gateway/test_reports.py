"""What a report of the supervisor changes for clients."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from ipc.frames.websocket import Event
from runtime.gateway.journal.interface import Keep
from tests.support.gateway_rig import gateway_rig, row
from tests.support.messages import acked, cursors, take
from tests.support.until import PATIENCE

KEY = "irc:libera"


async def test_a_new_revision_is_told_to_everybody_who_may_read() -> None:
    async with gateway_rig() as rig:
        seen: asyncio.Queue[Event] = asyncio.Queue()
        await rig.client(on_event=seen.put_nowait)
        await rig.report(row(KEY), revision="r2")
        async with asyncio.timeout(PATIENCE):
            while (event := await seen.get()).event != "config.changed":
                pass
        assert isinstance(event.payload, msgspec.Raw)
        told = msgspec.json.decode(event.payload)
        assert (told["path"], told["hash"]) == ("/state/trunkline.json5", "r2")


async def test_statuses_arrive_in_the_order_of_the_reports() -> None:
    async with gateway_rig() as rig:
        watcher = await rig.watcher()
        phases = ["stopping", "stopped", "starting", "running", "backoff"]
        for incarnation, phase in enumerate(phases, 2):
            await rig.report(row(KEY, phase, incarnation))
        found = await take(watcher, len(phases))
        assert [body["phase"] for _, body in found] == phases


async def test_figures_alone_are_known_but_told_to_nobody() -> None:
    async with gateway_rig() as rig:
        watcher = await rig.watcher()
        await rig.report(figures={KEY: row(KEY, rss_bytes=42)})
        await rig.report(row(KEY, "stopping"))
        assert [body["phase"] for _, body in await take(watcher, 1)] == ["stopping"]
        status = await watcher.call("status")
        assert status["accounts"][0]["account"] == KEY


async def test_an_account_that_is_gone_from_a_whole_report_is_forgotten() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc")) as rig:
        watcher = await rig.watcher()
        await rig.report(row(KEY), whole=True)
        assert await take(watcher, 1) == [("channel.removed", {"account": "irc:oftc"})]
        assert list(rig.parts.accounts.rows) == [KEY]


async def test_what_was_said_before_an_end_is_told_before_the_end() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        for seq in range(1, 101):
            worker.say(seq)
        await acked(worker, 1)
        await rig.report(row(KEY, "backoff", 1, last_error="killed"))
        found = await take(watcher, 101)
        assert cursors(found) == [f"1:{seq}" for seq in range(1, 101)]
        assert found[-1][0] == "channel.status"
        assert found[-1][1]["phase"] == "backoff"


async def test_how_much_the_journal_keeps_is_taken_over_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        journal = rig.parts.intake.journal
        assert journal is not None
        kept: list[Keep] = []
        monkeypatch.setattr(journal, "set_keep", kept.append)
        await rig.report(journal={"days": 2.0, "bytes": 5_000_000})
        assert kept == [Keep(2 * 86400.0, 5_000_000)]

"""What a report of the supervisor changes for clients."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import msgspec
import pytest

from ipc.frames.websocket import Event
from runtime.gateway.figures.history_ring import HistoryRing
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.interface import Keep
from runtime.gateway.journal.records import Outcome, Place, Record
from tests.support.gateway_rig import GatewayRig, gateway_rig, row
from tests.support.messages import acked, cursors, take
from tests.support.until import PATIENCE, until

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


async def test_each_failure_is_one_recent_fault_whatever_else_changes_meanwhile() -> None:
    agent = row("agent:echo", "backoff", 1, cause="exited")
    async with gateway_rig(row(KEY, "backoff", 1, cause="killed")) as rig:
        await rig.report(row(KEY, "backoff", 1, cause="killed", failures=0), agent)
        await rig.report(row(KEY, "backoff", 1, cause="killed", next_try_at=5), agent)
        await rig.report(row(KEY, "starting", 2), row("agent:echo", "stopped", 1, cause="held"))
        await rig.report(row(KEY, "failed", 2, cause="needs_login"))
        client = await rig.client()
        found = (await client.call("diagnostics.stability", {}))["events"]
        assert [(each["type"], each["reason"]) for each in found] == [
            ("account.backoff", "killed"),
            ("agent.backoff", "exited"),
            ("account.failed", "needs_login"),
        ]


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
        await acked(worker, 50)
        await rig.report(row(KEY, "backoff", 1, last_error="killed"))
        found = await take(watcher, 51)
        while found[-1][0] != "channel.status":  # what has arrived meanwhile is told too
            found += await take(watcher, 1)
        assert cursors(found) == [f"1:{seq}" for seq in range(1, len(found))]
        assert found[-1][1]["phase"] == "backoff"
        await rig.report(row(KEY, "starting", 2))
        assert (await take(watcher, 1))[0][1]["phase"] == "starting"  # and nothing after the end


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


NOT_KEPT = (
    type,
    ModuleType,
    CodeType,
    FrameType,
    asyncio.AbstractEventLoop,
    asyncio.Future,
    Place,  # is in the journal's file, for an account that comes back
    HistoryRing,  # has the figures of an account for a day, also of one that is no more
)


def kept(root: Any) -> Iterator[Any]:
    """Yield all that an object leads to, without what is not its own."""
    seen, found = {id(root)}, [root]
    while found:
        each = found.pop()
        yield each
        more = (
            gc.get_referents(each) if not isinstance(each, FunctionType) else each.__closure__ or ()
        )
        items = each.items() if isinstance(each, dict) else ()
        keys = [key for key, value in list(items) if not isinstance(value, NOT_KEPT)]
        for other in (*more, *keys):  # the collector knows no keys that are texts
            if id(other) not in seen and not isinstance(other, NOT_KEPT):
                seen.add(id(other))
                found.append(other)


def naming(root: Any, key: str) -> list[Any]:
    """Return the names of an account, or of its incarnations, that an object leads to."""
    texts = [each for each in kept(root) if isinstance(each, (str, bytes))]
    return [
        each
        for each in texts
        if (each if isinstance(each, str) else each.decode("latin-1")).partition("#")[0] == key
    ]


async def names_nothing(root: Any, key: str) -> None:
    """Wait until an object does not lead to an account any more.

    A look takes a second beside other work: the loop turns many times between two of them.
    """
    async with asyncio.timeout(4 * PATIENCE):
        while naming(root, key):
            for _ in range(1000):
                await asyncio.sleep(0)


def has_dropped(rig: GatewayRig, duplicates: int) -> bool:
    return rig.parts.data_link.dropped["duplicate"] == duplicates


@pytest.mark.parametrize("journal", ["off", "on"])
@pytest.mark.parametrize("stopped_first", [True, False])
async def test_an_account_that_is_no_more_leaves_nothing_behind(
    tmp_path: Path, journal: str, stopped_first: bool
) -> None:
    key = "irc:short-lived"
    async with gateway_rig(row(KEY), state_dir=tmp_path) as rig:
        watcher = await rig.watcher()
        for incarnation in (1, 2):
            await rig.report(row(key, "starting", incarnation, journal=journal))
            worker = await rig.worker(key, incarnation, journal=journal)
            worker.say(1)
            await acked(worker, 1)
            worker.say(1)  # a duplicate
            await until(partial(has_dropped, rig, incarnation))
            worker.close()
        assert key in naming(rig.gateway, key)
        if stopped_first:
            await rig.report(row(key, "stopped", 2, journal=journal))
        await rig.report(removed=[key])
        while (await take(watcher, 1))[0][0] != "channel.removed":
            pass
        await names_nothing(rig.parts.data_link, key)
        await names_nothing(rig.gateway, key)


async def test_what_is_stored_late_of_an_account_that_is_no_more_is_kept_by_the_journal_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, full = "irc:short-lived", threading.Event()
    store = Database.store

    def store_if_possible(database: Database, records: list[Record]) -> list[Outcome]:
        if full.is_set():
            raise sqlite3.OperationalError("disk I/O error")
        return store(database, records)

    monkeypatch.setattr(Database, "store", store_if_possible)
    async with gateway_rig(row(KEY), state_dir=tmp_path) as rig:
        worker = await rig.worker(key, journal="on")
        worker.say(1)
        await acked(worker, 1)
        full.set()
        worker.say(2)
        await until(lambda: rig.parts.intake.fault)
        worker.close()
        await rig.report(removed=[key])
        full.clear()
        await until(lambda: not rig.parts.intake.fault)
        journal = rig.parts.intake.journal
        assert journal is not None
        await until(lambda: journal.waiting_bytes == 0)
        place = journal.place(key)
        assert place is not None
        assert place.newest == (1, 2)
        await names_nothing(rig.gateway, key)


async def test_an_agent_is_told_as_such_and_is_no_account() -> None:
    async with gateway_rig(row(KEY)) as rig:
        watcher = await rig.watcher()
        await rig.report(row("agent:main", "starting"))
        await rig.report(figures={"agent:main": row("agent:main", "starting", rss_bytes=42)})
        await rig.report(row(KEY), whole=True)
        found = await take(watcher, 2)
        assert [(name, body["account"]) for name, body in found] == [
            ("agent.status", "agent:main"),
            ("agent.removed", "agent:main"),
        ]
        assert list(rig.parts.accounts.rows) == [KEY]
        assert rig.parts.accounts.agents == {}

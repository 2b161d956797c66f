"""Accounts with a journal: nothing leaves the gateway before it is stored."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.data import Ack, Mark, Messages, Refused, Welcome
from runtime.gateway.accounts import intake
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.space import Space
from tests.support.gateway_rig import gateway_rig, payload, row, single
from tests.support.messages import KEY, acked, cursors, take
from tests.support.until import until

ON: dict[str, Any] = {"journal": "on"}


async def test_a_message_is_published_and_acknowledged_after_it_is_stored(tmp_path: Path) -> None:
    async with gateway_rig(row(KEY, **ON), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, **ON)
        watcher = await rig.watcher()
        journal = rig.parts.intake.journal
        assert journal is not None
        worker.say(1)
        await until(lambda: journal.waiting_bytes)
        assert rig.parts.data_link.messages == 0
        await acked(worker, 1)
        assert journal.commits == 1
        assert cursors(await take(watcher, 1)) == ["1:1"]


async def test_a_repeated_message_reaches_no_client_and_is_named_by_the_next(
    tmp_path: Path,
) -> None:
    async with gateway_rig(row(KEY, **ON), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, **ON)
        watcher = await rig.watcher()
        worker.say(1, id="a")
        worker.say(2, id="a")
        worker.say(3, id="b")
        await acked(worker, 3)
        found = await take(watcher, 2)
        assert cursors(found) == ["1:1", "1:3"]
        assert found[1][1]["skips"] == [2]
        assert rig.parts.intake.repeated == {KEY: 1}
        assert rig.parts.data_link.report().repeated == {KEY: 1}


async def test_the_end_of_an_incarnation_is_published_after_its_last_message(
    tmp_path: Path,
) -> None:
    async with gateway_rig(row(KEY, **ON), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, **ON)
        watcher = await rig.watcher()
        for seq in range(1, 200):
            worker.say(seq)
        await until(lambda: rig.parts.peers.by_key[KEY].seen == 199)
        await rig.report(row(KEY, "backoff", **ON))
        found = await take(watcher, 200)
        assert cursors(found) == [f"1:{seq}" for seq in range(1, 200)]
        assert found[-1][0] == "channel.status"
        assert found[-1][1]["phase"] == "backoff"


async def test_what_breaks_clients_is_left_out_and_acknowledged(tmp_path: Path) -> None:
    async with gateway_rig(row(KEY, **ON), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, **ON)
        watcher = await rig.watcher()
        bad = b'{"text":"\xff"}'
        worker.send(single(1, 1, bad))
        await acked(worker, 1)
        worker.send(Messages(2, bytes(3), [payload(KEY, 2), bad, payload(KEY, 4)]))
        worker.send(Messages(5, bytes(2), [payload(KEY, 5), bad], b"9"))
        await acked(worker, 6)
        assert cursors(await take(watcher, 3)) == ["1:2", "1:4", "1:5"]
        place = rig.parts.intake.place(KEY)
        assert place is not None
        assert place.cursor == b"9"


async def test_ids_with_nul_characters_stop_no_account(tmp_path: Path) -> None:
    """SQLite's JSON functions end a text there: for the journal all of these would be the first."""
    async with gateway_rig(row(KEY, **ON), row("irc:oftc", **ON), state_dir=tmp_path) as rig:
        worker, sibling = await rig.worker(KEY, **ON), await rig.worker("irc:oftc", **ON)
        watcher = await rig.watcher()
        for seq, name in enumerate(("a", "a\0b", "a\0c", "d"), 1):
            worker.say(seq, id=name)
        await acked(worker, 4)
        assert cursors(await take(watcher, 2)) == ["1:1", "1:4"]
        sibling.say(1)
        await acked(sibling, 1)
        assert rig.parts.intake.fault is None
        assert rig.parts.data_link.dropped["malformed"] == 2


async def test_without_room_nothing_is_taken_until_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING_BYTES", 2000)
    monkeypatch.setattr(intake, "ROOM_BYTES", 1000)
    async with gateway_rig(row(KEY, **ON), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, **ON)
        journal = rig.parts.intake.journal
        assert journal is not None
        begun, held = asyncio.Event(), asyncio.Event()
        job = asyncio.create_task(_hold(journal, begun, held))
        await begun.wait()
        for seq in range(1, 6):
            worker.say(seq, text="x" * 900)
        await until(lambda: rig.parts.data_link.dropped["journal full"] == 3)
        assert journal.waiting_bytes < 3000
        worker.hello()
        assert (await worker.next(Ack)).seq == 0  # it is here, and has no room
        held.set()
        await job
        while (await worker.next(Refused)).reason != "hello first":
            pass
        worker.hello(oldest=3)
        assert (await worker.next(Welcome)).acked == 2
        for seq in range(3, 6):
            worker.say(seq, text="x" * 900)
            await acked(worker, seq)


async def _hold(journal: Any, begun: asyncio.Event, until_set: asyncio.Event) -> None:
    """Keep the writer's thread busy until an event of the loop is set; set ``begun`` first."""
    loop = asyncio.get_running_loop()

    def wait(database: Database) -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(until_set.wait(), loop).result(10)

    await journal.run(wait)


async def test_an_account_that_gets_a_journal_goes_on_and_one_that_loses_it_too(
    tmp_path: Path,
) -> None:
    async with gateway_rig(row(KEY), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY)
        worker.say(1)
        await acked(worker, 1)
        assert rig.parts.intake.journal is None
        await rig.report(row(KEY, **ON))
        await until(lambda: rig.parts.intake.ready)
        worker.say(2)
        await acked(worker, 2)
        place = rig.parts.intake.place(KEY)
        assert place is not None
        assert (place.newest, place.floor) == ((1, 2), (1, 1))
        await rig.report(row(KEY))
        worker.say(3)
        await acked(worker, 3)
        await rig.report(row(KEY, **ON))
        await until(lambda: rig.parts.intake.is_on(KEY))  # what is reported waits for the journal
        worker.say(4)
        await acked(worker, 4)
        place = rig.parts.intake.place(KEY)
        assert place is not None
        assert (place.newest, place.floor) == ((1, 4), (1, 3))


async def test_an_account_without_a_journal_opens_none(tmp_path: Path) -> None:
    async with gateway_rig(row(KEY), state_dir=tmp_path) as rig:
        await rig.worker(KEY)
        assert not (tmp_path / "journal.db").exists()


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The disk has no room while this is set."""
    is_full = threading.Event()

    def require(space: Space) -> None:
        if is_full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Space, "require", require)
    return is_full


async def test_what_came_before_the_journal_was_switched_off_is_stored_before_more_is_acknowledged(
    tmp_path: Path, full: threading.Event
) -> None:
    async with gateway_rig(row(KEY, **ON), state_dir=tmp_path) as rig:
        worker, watcher = await rig.worker(KEY, **ON), await rig.watcher()
        full.set()
        worker.say(1)
        assert await worker.next(Ack) == Ack(0, halted=True)
        await rig.report(row(KEY))
        assert not (await worker.next(Welcome)).durable
        worker.say(2)
        worker.send(Mark(1, 2, b"2"))
        worker.say(3)
        peer = rig.parts.peers.by_key[KEY]
        await until(lambda: peer.seen == 3)
        assert (peer.done, peer.mark) == (0, 0)
        assert rig.parts.data_link.messages == 0
        full.clear()
        await acked(worker, 3)
        assert peer.mark == 1
        assert cursors(await take(watcher, 4)) == ["1:1", "1:2", "1:3"]
        journal = rig.parts.intake.journal
        assert journal is not None
        stored = journal.place(KEY)
        assert stored is not None
        assert (stored.newest, stored.whole) == ((1, 1), False)


async def test_workers_know_while_nothing_can_be_stored(
    tmp_path: Path, full: threading.Event
) -> None:
    async with gateway_rig(row(KEY, **ON), row("irc:plain"), state_dir=tmp_path) as rig:
        worker, plain = await rig.worker(KEY, **ON), await rig.worker("irc:plain")
        worker.say(1)
        assert await worker.next(Ack) == Ack(1)
        full.set()
        worker.say(2)
        assert await worker.next(Ack) == Ack(1, halted=True)
        worker.hello(oldest=2)  # as one does that misses acknowledgements
        await worker.next(Welcome)
        assert await worker.next(Ack) == Ack(1, halted=True)
        plain.say(1)
        assert await plain.next(Ack) == Ack(1)
        full.clear()
        while (ack := await worker.next(Ack)) != Ack(2):
            assert ack in (Ack(1, halted=True), Ack(1))  # it goes on, and then it is stored

"""Who is let in with which number and which position, before and after the journal is open."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import PeerGone
from ipc.frames.data import AccountIdentity, Ack, Answer, Call, Mark, Messages, Refused, Welcome
from ipc.zeromq.router import Router
from tests.support.gateway_rig import (
    INBOUND_ADDRESSED,
    Worker,
    gateway_rig,
    payload,
    row,
    single,
)
from tests.support.messages import KEY, acked, cursors, take
from tests.support.rig_agent import AGENT, HeldAgent, echo_agent, turn_of
from tests.support.until import PATIENCE, until


async def test_a_worker_without_a_journal_is_told_so() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY, ready=False)
        welcome = await worker.next(Welcome)
        assert (welcome.durable, welcome.cursor, welcome.early) == (False, b"", False)
        worker.send(Mark(3, 0, b"7"))
        assert (await worker.next(Ack)).mark == 3


async def test_the_stored_position_comes_back_with_the_welcome(tmp_path: Path) -> None:
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, ready=False)
        assert (await worker.next(Welcome)).durable
        worker.send(AccountIdentity("bot-1"))
        pack = Messages(1, bytes([1, 1]), [payload(KEY, 1), payload(KEY, 2)], b'{"offset":3}')
        worker.send(pack)
        await acked(worker, 2)
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, ready=False)
        welcome = await worker.next(Welcome)
        assert (welcome.acked, welcome.cursor, welcome.identity) == (2, b'{"offset":3}', "bot-1")


async def test_a_plugin_that_waits_gets_its_position_before_it_runs(tmp_path: Path) -> None:
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on")
        worker.send(Mark(1, 0, b"41"))
        assert (await worker.next(Ack)).mark == 1
        await rig.report(row(KEY, "starting", 2, journal="on"))
        following = Worker(rig, KEY, 2)
        rig.opened.append(following)
        following.hello(waits=True)
        early = await following.next(Welcome)
        assert (early.early, early.cursor, early.durable) == (True, b"41", True)
        following.say(1)
        await following.next(Refused)
        await rig.report(row(KEY, "running", 2, journal="on"))
        assert not (await following.next(Welcome)).early


async def test_a_position_of_another_identity_is_not_given_back(tmp_path: Path) -> None:
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on")
        worker.send(AccountIdentity("bot-1"), Mark(1, 0, b"41"))
        await worker.next(Ack)
        worker.send(AccountIdentity("bot-2"), Mark(2, 9, b"lost: nine has not come"))
        worker.hello()
        welcome = await worker.next(Welcome)
        assert (welcome.cursor, welcome.identity) == (b"", "bot-2")


async def test_what_was_stored_and_not_acknowledged_is_not_asked_for_again(
    tmp_path: Path,
) -> None:
    """The row may come after the hello: only then is it known that there is a journal."""
    proof = "the floor stays where it was: nothing is missing"
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on")
        for seq in (1, 2):
            worker.say(seq)
            await acked(worker, seq)
    async with gateway_rig(supervisor=False, state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, ready=False)
        worker.hello(oldest=2)
        await until(lambda: any(peer.hellos == 2 for peer in rig.parts.peers.by_id.values()))
        await rig.connect_supervisor(row(KEY, journal="on"))
        assert (await worker.next(Welcome)).acked == 2
        worker.say(3)
        await acked(worker, 3)
        place = rig.parts.intake.place(KEY)
        assert place is not None
        assert (place.newest, place.floor) == ((1, 3), (1, 0)), proof


async def test_a_journal_that_is_switched_on_has_messages_answered_at_once(tmp_path: Path) -> None:
    """The worker was welcomed without one, and is not greeted again."""
    async with gateway_rig(agents="echo", state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY)
        asked: asyncio.Queue[Any] = asyncio.Queue()

        def on_call(call: Call) -> Answer:
            asked.put_nowait(call.method)
            return Answer(call.id, True, b'{"sent":[{"id":"m","chat":"person-1","ts":1}]}')

        worker.on_call = on_call
        await echo_agent(rig)
        await rig.report(row(KEY, journal="on", wanted=True))
        worker.send(single(1, INBOUND_ADDRESSED, payload(KEY, 1)))
        async with asyncio.timeout(PATIENCE):
            assert await asked.get() == "deliver"


def reach_no_more(monkeypatch: pytest.MonkeyPatch, key: str, *, gone: bool) -> None:
    """Let nothing be sent to a worker: its connection is closed, or its queue is full."""
    send = Router.send

    def send_to_others(router: Router, peer: bytes, body: bytes) -> bool:
        if peer != f"{key}#1".encode():
            return send(router, peer, body)
        if gone:
            raise PeerGone(key, maybe_executed=False)
        return False

    monkeypatch.setattr(Router, "send", send_to_others)


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "does not read"])
async def test_messages_behind_a_hello_that_cannot_be_answered_are_handed_on(
    monkeypatch: pytest.MonkeyPatch, *, gone: bool
) -> None:
    """Workers say hello with each beat: one may have died when that is read, and what follows."""
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        reach_no_more(monkeypatch, KEY, gone=gone)
        worker.hello()
        worker.say(1)
        worker.hello()
        worker.say(2)
        assert cursors(await take(watcher, 2)) == ["1:1", "1:2"]
        assert (await watcher.call("status"))["dropped"]["early"] == 0


async def test_a_position_behind_a_hello_that_cannot_be_answered_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on")
        reach_no_more(monkeypatch, KEY, gone=True)
        worker.hello()
        worker.send(Mark(1, 0, b"41"))
        await until(lambda: (at := rig.parts.intake.place(KEY)) and at.cursor == b"41")


async def test_an_answer_behind_a_hello_that_cannot_be_answered_is_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway_rig(agents="echo", state_dir=tmp_path) as rig:
        process = await rig.worker(AGENT)
        agent = HeldAgent(process)
        worker = await rig.worker(KEY, journal="on", wanted=True)
        worker.send(single(1, INBOUND_ADDRESSED, payload(KEY, 1)))
        await turn_of(agent)
        reach_no_more(monkeypatch, AGENT, gone=True)
        process.hello()
        agent.answers("the last words")
        assert b"the last words" in (await worker.next(Call)).params


async def test_a_worker_that_cannot_be_welcomed_is_not_welcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway_rig() as rig:
        reach_no_more(monkeypatch, KEY, gone=False)
        worker = await rig.worker(KEY, ready=False)
        worker.say(1)
        await until(lambda: rig.parts.data_link.dropped["early"] == 1)
        monkeypatch.undo()
        worker.hello()
        await worker.next(Welcome)
        worker.say(1)
        await acked(worker, 1)

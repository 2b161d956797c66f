"""Messages of workers on their way to the clients: order, duplicates, gaps, history."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import pytest
import structlog

from ipc.frames.data import (
    HISTORY,
    REDELIVERED,
    Ack,
    Answer,
    DataHello,
    Messages,
    Refused,
    Welcome,
    encode,
)
from ipc.identity.peer import PeerProof
from ipc.zeromq import connection_rate
from tests.support.forged_payloads import forged
from tests.support.gateway_rig import SECRET, Worker, gateway_rig, payload, row, single
from tests.support.messages import KEY, acked, cursors, greet, recall, take, with_past
from tests.support.zmtp import RawPeer


async def test_a_message_reaches_a_watcher_as_the_worker_wrote_it() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        worker.say(1, text="grüße")
        assert await take(watcher, 1) == [
            ("channel.message", msgspec.json.decode(payload(KEY, 1, text="grüße")))
        ]


async def test_messages_are_acknowledged_once_handed_on() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        for seq in range(1, 4):
            worker.say(seq)
        await acked(worker, 3)
        assert rig.parts.data_link.messages == 3


async def test_a_message_that_comes_twice_is_handed_on_once() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        worker.say(1)
        worker.say(1)
        worker.say(2)
        assert cursors(await take(watcher, 2)) == ["1:1", "1:2"]
        status = await watcher.call("status")
        assert status["dropped"]["duplicate"] == 1
        assert status["dropped"]["gap"] == 0


async def test_a_gap_is_never_acknowledged_and_closes_after_a_hello() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        worker.say(1)
        await acked(worker, 1)
        worker.say(3)
        assert (await worker.next(Refused)).reason == "hello first"
        worker.hello(oldest=2)
        assert (await worker.next(Welcome)).acked == 1
        worker.say(2)
        worker.say(3)
        assert cursors(await take(watcher, 3)) == ["1:1", "1:2", "1:3"]
        assert rig.parts.data_link.dropped["gap"] == 1


async def test_a_worker_is_welcome_only_when_it_is_reported_running() -> None:
    async with gateway_rig(row(KEY, "starting", 7)) as rig:
        worker = await rig.worker(KEY, 7, ready=False)
        worker.say(1)
        assert (await worker.next(Refused)).reason == "hello first"
        assert rig.parts.data_link.messages == 0
        await rig.report(row(KEY, "running", 7))
        assert (await worker.next(Welcome)).acked == 0


async def test_a_worker_that_waits_for_its_cursor_gets_it_before_the_account_runs() -> None:
    async with gateway_rig(row(KEY, "starting", 7)) as rig:
        worker = await rig.worker(KEY, 7, ready=False)
        worker.hello(waits=True)
        welcome = await worker.next(Welcome)
        assert (welcome.early, welcome.acked) == (True, 0)
        worker.say(1)
        assert (await worker.next(Refused)).reason == "hello first"
        await rig.report(row(KEY, "running", 7))
        assert not (await worker.next(Welcome)).early


async def test_a_new_gateway_goes_on_where_the_old_one_acknowledged() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY, ready=False)
        worker.hello(oldest=41)
        assert (await worker.next(Welcome)).acked == 0  # the answer to the first hello
        assert (await worker.next(Welcome)).acked == 40
        worker.send(single(41, REDELIVERED, payload(KEY, 41)))
        await acked(worker, 41)


async def test_a_stranger_is_told_to_say_hello_and_changes_nothing() -> None:
    async with gateway_rig() as rig:
        stranger = Worker(rig, KEY, 1)
        rig.opened.append(stranger)
        stranger.say(1)
        assert (await stranger.next(Refused)).reason == "hello first"
        stranger.hello(token="0" * 64)
        assert (await stranger.next(Refused)).reason == "wrong token"
        stranger.hello(token="schlüssel")
        assert (await stranger.next(Refused)).reason == "wrong token"
        other = Worker(rig, "irc:oftc", 1)
        rig.opened.append(other)
        other.send(DataHello(KEY, 1, "x", 1))
        assert (await other.next(Refused)).reason == "wrong token"
        assert rig.parts.data_link.messages == 0


async def test_frames_of_an_incarnation_that_ended_are_stale() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        await rig.report(row(KEY, "starting", 2))
        worker.say(1)
        await worker.next(Refused)
        worker.hello()
        assert (await worker.next(Refused)).reason == "this incarnation has ended"
        assert rig.parts.data_link.dropped["stale"] == 2
        assert rig.parts.data_link.messages == 0


async def test_a_payload_of_no_text_or_of_another_account_is_dropped_and_acknowledged() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        bad = b'{"text":"\xff"}'
        worker.send(single(1, 1, bad))
        good = [payload(KEY, seq) for seq in range(2, 9)]
        another = payload("irc:oftc", 6)
        worker.send(Messages(2, bytes(7), [bad, *good[1:4], another, good[5], bad]))
        await acked(worker, 8)
        assert cursors(await take(watcher, 4)) == ["1:3", "1:4", "1:5", "1:7"]
        assert rig.parts.data_link.dropped["malformed"] == 4
        answer = await watcher.call("events.subscribe", {"cursors": {KEY: "1:3"}})
        assert (answer["replayed"], answer["gaps"]) == (3, [])


async def test_a_forged_payload_reaches_no_client_and_harms_no_sibling(tmp_path: Path) -> None:
    flags, payloads = forged(2)
    last = 1 + len(payloads)
    rows = [row(KEY, journal="on"), row("irc:oftc", journal="on")]
    async with (
        gateway_rig(*rows, state_dir=tmp_path) as rig,
        contextlib.AsyncExitStack() as stack,
    ):
        logs = stack.enter_context(structlog.testing.capture_logs())
        worker = await rig.worker(KEY, journal="on")
        sibling = await rig.worker("irc:oftc", journal="on")
        watcher = await rig.watcher()
        worker.say(1)
        worker.send(Messages(2, flags, payloads))
        worker.say(last + 1)
        await acked(worker, last + 1)
        sibling.say(1)
        await acked(sibling, 1)
        found = [(body["account"], body["cursor"]) for _, body in await take(watcher, 3)]
        assert found == [(KEY, "1:1"), (KEY, f"1:{last + 1}"), ("irc:oftc", "1:1")]
        assert rig.parts.data_link.dropped["malformed"] == len(payloads)
        warned = [each["peer"] for each in logs if each["event"] == "messages dropped"]
        assert warned == [f"{KEY}#1"]
        answer = await watcher.call("events.subscribe", {"cursors": {"irc:oftc": "1:0"}})
        assert (answer["replayed"], answer["gaps"]) == (1, [])


async def test_forged_history_is_not_taken() -> None:
    async with gateway_rig() as rig:
        worker, _ = await with_past(rig, oldest=3, kept=1)
        worker.send(single(1, HISTORY, payload("irc:oftc", 1)))
        worker.send(single(2, HISTORY, payload("irc:oftc", 2)))
        worker.say(3)
        await acked(worker, 3)
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:0"}})
        assert (answer["replayed"], answer["gaps"]) == (1, [KEY])


async def test_what_is_known_of_a_pack_is_dropped_and_the_rest_handed_on() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        worker.send(Messages(1, bytes(3), [payload(KEY, seq) for seq in (1, 2, 3)]))
        worker.send(Messages(2, bytes(3), [payload(KEY, seq) for seq in (2, 3, 4)]))
        await acked(worker, 4)
        assert cursors(await take(watcher, 4)) == ["1:1", "1:2", "1:3", "1:4"]
        assert rig.parts.data_link.dropped["duplicate"] == 2


async def test_garbage_on_the_data_link_is_counted_and_changes_nothing() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        worker.dealer.send(b"\xc1garbage")
        worker.dealer.send(b"")
        worker.send(Answer(12345, True, b"{}"))
        worker.say(1)
        await acked(worker, 1)
        assert rig.parts.data_link.dropped["malformed"] == 2
        assert rig.parts.data_link.dropped["late answer"] == 1


async def test_many_frames_in_one_message_keep_their_order() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        for start in range(1, 321, 16):
            payloads = [payload(KEY, seq) for seq in range(start, start + 16)]
            worker.dealer.send(encode([Messages(start, bytes([1] * 16), payloads)]))
        assert cursors(await take(watcher, 320)) == [f"1:{seq}" for seq in range(1, 321)]


async def test_a_gateway_that_has_all_asks_for_nothing() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        worker.say(1)
        await acked(worker, 1)
        greet(worker, oldest=2, kept=1)
        assert (await worker.next(Welcome)).wanted == 0


async def test_history_with_a_hole_is_not_taken() -> None:
    async with gateway_rig() as rig:
        worker, _ = await with_past(rig, oldest=5, kept=2)
        recall(worker, 2, 4)
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:1"}})
        assert (answer["replayed"], answer["gaps"]) == (0, [KEY])


async def test_history_is_neither_acknowledged_nor_answered_by_an_agent() -> None:
    async with gateway_rig(agents="echo") as rig:
        worker, _ = await with_past(rig, oldest=3, kept=1)
        recall(worker, 1, 2)
        worker.say(3)
        assert (await worker.next(Ack)).seq == 3
        assert rig.parts.agents.answered == 0


async def test_an_agent_is_welcome_and_none_of_its_messages_pass_for_an_account_s() -> None:
    async with gateway_rig(agents="echo") as rig:
        watcher = await rig.watcher()
        agent = await rig.worker("agent:main")
        assert "agent:main" in rig.parts.peers.by_key
        agent.say(1)
        assert (await agent.next(Ack)).seq == 0
        assert rig.parts.data_link.dropped["duplicate"] == 1
        assert [name for name, _ in await take(watcher, 1)] == ["agent.status"]
        assert rig.parts.data_link.report().silent == {}


async def test_a_worker_that_never_stays_connected_is_reported_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_rate, "MOST", 5)
    async with gateway_rig() as rig:
        await rig.worker(KEY)
        for _ in range(6):
            async with RawPeer(rig.parts.boot.data) as peer:
                await peer.prove(PeerProof(SECRET).credentials("irc:other", 1))
        assert rig.parts.data_link.report().reconnecting == {"irc:other#1": 6}

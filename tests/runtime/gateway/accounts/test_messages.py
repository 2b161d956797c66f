"""What accounts say, on its way to the clients: order, duplicates, gaps, replay."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.data import (
    MAX_PAYLOAD_BYTES,
    REDELIVERED,
    Ack,
    Answer,
    DataHello,
    Messages,
    Refused,
    Welcome,
    encode,
)
from ipc.frames.websocket import Event
from ipc.websocket.client import Client
from tests.support.gateway_rig import INBOUND_ADDRESSED, Worker, gateway_rig, payload, row, single

KEY = "irc:libera"


async def take(client: Client, count: int) -> list[tuple[str, Any]]:
    """Return name and payload of the next ``count`` of our own events."""
    found: list[tuple[str, Any]] = []
    async with asyncio.timeout(5):
        async for event in client.events():
            if event.event.startswith("channel."):
                found.append((event.event, msgspec.json.decode(cast(msgspec.Raw, event.payload))))
            if len(found) == count:
                break
    return found


async def acked(worker: Worker, seq: int) -> None:
    while (await worker.next(Ack)).seq < seq:
        pass


def cursors(found: list[tuple[str, Any]]) -> list[str]:
    return [body["cursor"] for name, body in found if name == "channel.message"]


async def test_a_message_reaches_a_watcher_as_the_worker_wrote_it() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        worker.say(1, text="grüße")
        assert await take(watcher, 1) == [
            ("channel.message", msgspec.json.decode(payload(KEY, 1, text="grüße")))
        ]


async def test_our_own_events_have_no_number_and_go_only_to_those_who_ask() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        seen: list[Event] = []
        watcher, other = await rig.watcher(), await rig.client(on_event=seen.append)
        worker.say(1)
        async with asyncio.timeout(5):
            async for event in watcher.events():
                if event.event == "channel.message":
                    assert event.seq is msgspec.UNSET
                    break
        await other.call("health")
        assert [event.event for event in seen if event.event.startswith("channel.")] == []


async def test_messages_are_acknowledged_once_handed_on() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        for seq in range(1, 4):
            worker.say(seq)
        await acked(worker, 3)
        assert rig.hub.data_link.messages == 3


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
        assert rig.hub.data_link.dropped["gap"] == 1


async def test_a_worker_is_welcome_only_when_it_is_reported_running() -> None:
    async with gateway_rig(row(KEY, "starting", 7)) as rig:
        worker = await rig.worker(KEY, 7, ready=False)
        worker.say(1)
        assert (await worker.next(Refused)).reason == "hello first"
        assert rig.hub.data_link.messages == 0
        await rig.report(row(KEY, "running", 7))
        assert (await worker.next(Welcome)).acked == 0


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
        assert rig.hub.data_link.messages == 0


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


async def test_frames_of_an_incarnation_that_ended_are_stale() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        await rig.report(row(KEY, "starting", 2))
        worker.say(1)
        await worker.next(Refused)
        worker.hello()
        assert (await worker.next(Refused)).reason == "this incarnation has ended"
        assert rig.hub.data_link.dropped["stale"] == 2
        assert rig.hub.data_link.messages == 0


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
        assert list(rig.hub.accounts.rows) == [KEY]


async def test_a_client_that_was_away_gets_what_it_missed() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        for seq in range(1, 6):
            worker.say(seq)
        await acked(worker, 5)
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:2"}})
        assert answer["replayed"] == 3
        assert answer["gaps"] == []
        worker.say(6)
        assert cursors(await take(client, 4)) == ["1:3", "1:4", "1:5", "1:6"]


async def test_a_replay_that_cannot_be_complete_says_so() -> None:
    async with gateway_rig(limits={"ringMessages": 2}) as rig:
        worker = await rig.worker(KEY)
        for seq in range(1, 6):
            worker.say(seq)
        await acked(worker, 5)
        client = await rig.client()
        answer = await client.call(
            "events.subscribe", {"cursors": {KEY: "1:1", "irc:never": "1:1"}}
        )
        assert answer["gaps"] == [KEY, "irc:never"]
        assert cursors(await take(client, 4)) == ["1:4", "1:5"]


async def test_a_subscription_may_name_accounts_and_events() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc")) as rig:
        one, two = await rig.worker(KEY), await rig.worker("irc:oftc")
        client = await rig.client()
        wanted = {"accounts": ["irc:oftc"], "events": ["channel.message"]}
        await client.call("events.subscribe", wanted)
        one.say(1)
        await acked(one, 1)
        two.say(1)
        await rig.report(row("irc:oftc", "stopping"))
        two.say(2)
        assert [body["account"] for _, body in await take(client, 2)] == ["irc:oftc"] * 2


async def test_a_payload_that_would_break_clients_is_dropped_and_acknowledged() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        bad = b'{"text":"\xff"}'
        worker.send(single(1, 1, bad))
        good = [payload(KEY, seq) for seq in range(2, 9)]
        worker.send(Messages(2, bytes(7), [bad, *good[1:4], bad, good[5], bad]))
        await acked(worker, 8)
        assert cursors(await take(watcher, 4)) == ["1:3", "1:4", "1:5", "1:7"]
        assert rig.hub.data_link.dropped["malformed"] == 4
        answer = await watcher.call("events.subscribe", {"cursors": {KEY: "1:3"}})
        assert (answer["replayed"], answer["gaps"]) == (3, [])


async def test_what_is_known_of_a_pack_is_dropped_and_the_rest_handed_on() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        worker.send(Messages(1, bytes(3), [payload(KEY, seq) for seq in (1, 2, 3)]))
        worker.send(Messages(2, bytes(3), [payload(KEY, seq) for seq in (2, 3, 4)]))
        await acked(worker, 4)
        assert cursors(await take(watcher, 4)) == ["1:1", "1:2", "1:3", "1:4"]
        assert rig.hub.data_link.dropped["duplicate"] == 2


async def test_garbage_on_the_data_link_is_counted_and_changes_nothing() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        worker.dealer.send(b"\xc1garbage")
        worker.dealer.send(b"")
        worker.send(Answer(12345, True, b"{}"))
        worker.say(1)
        await acked(worker, 1)
        assert rig.hub.data_link.dropped["malformed"] == 2
        assert rig.hub.data_link.dropped["late answer"] == 1


async def test_the_echo_agent_answers_what_is_meant_for_it() -> None:
    async with gateway_rig(agents="echo") as rig:
        worker = await rig.worker(KEY)
        calls: asyncio.Queue[Any] = asyncio.Queue()

        def on_call(call: Any) -> Answer:
            calls.put_nowait((call.method, msgspec.json.decode(call.params)))
            return Answer(call.id, True, b'{"id":"1","chat":"person-1","ts":1}')

        worker.on_call = on_call
        worker.say(1)  # not addressed
        bot = {"id": "bot", "bot": True}
        worker.send(single(2, INBOUND_ADDRESSED, payload(KEY, 2, sender=bot)))
        worker.send(single(3, INBOUND_ADDRESSED, payload(KEY, 3, text="hello")))
        async with asyncio.timeout(5):
            method, params = await calls.get()
        assert method == "send"
        assert params == {"to": "person-1", "text": "echo: hello", "key": "echo:1:3"}
        assert calls.empty()


async def test_many_frames_in_one_message_keep_their_order() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        for start in range(1, 321, 16):
            payloads = [payload(KEY, seq) for seq in range(start, start + 16)]
            worker.dealer.send(encode([Messages(start, bytes([1] * 16), payloads)]))
        assert cursors(await take(watcher, 320)) == [f"1:{seq}" for seq in range(1, 321)]


async def test_a_send_that_is_too_large_is_refused_alone() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc")) as rig:
        for key in (KEY, "irc:oftc"):
            worker = await rig.worker(key)
            worker.on_call = lambda call: Answer(call.id, True, b'{"id":"1","chat":"x","ts":1}')
        client = await rig.client()
        params = {"channel": "irc", "to": "x", "message": "hi", "accountId": "libera"}
        large = {"idempotencyKey": "large", "buffer": "A" * MAX_PAYLOAD_BYTES}
        assert rig.tasks is not None
        others = [
            rig.tasks.create_task(client.call("send", params | more))
            for more in ({"idempotencyKey": "a"}, {"idempotencyKey": "b", "accountId": "oftc"})
        ]
        with pytest.raises(RemoteError, match="at most 1048576 go to an account") as caught:
            await client.call("send", params | large)
        assert caught.value.code == "INVALID_REQUEST"
        assert [(await other)["messageId"] for other in others] == ["1", "1"]


async def test_a_fault_in_a_send_is_that_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*args: object) -> str:
        raise ValueError("a fault of ours")

    async with gateway_rig(row(KEY)) as rig:
        client = await rig.client()
        params = {"channel": "irc", "to": "x", "message": "hi", "idempotencyKey": "k"}
        with monkeypatch.context() as broken:
            broken.setattr("runtime.gateway.accounts.rows.Accounts.resolve", fault)
            with pytest.raises(RemoteError, match="send: internal error"):
                await client.call("send", params)
        assert (await client.call("health"))["ok"] is True


async def test_a_send_right_after_the_start_waits_for_the_account() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc", "backoff")) as rig:
        client = await rig.client()
        params = {"channel": "irc", "accountId": "libera", "to": "x", "message": "hi"}
        asked = client.call("send", params | {"idempotencyKey": "k"})
        assert rig.tasks is not None
        sent = rig.tasks.create_task(asked)
        with pytest.raises(RemoteError, match="not running"):  # no wait for what does not come
            await client.call("send", params | {"accountId": "oftc", "idempotencyKey": "k2"})
        assert not sent.done()
        worker = await rig.worker(KEY, ready=False)  # it may be asked as soon as it is welcome
        worker.on_call = lambda call: Answer(call.id, True, b'{"id":"1","chat":"x","ts":1}')
        async with asyncio.timeout(5):
            assert (await sent)["messageId"] == "1"

"""Events to subscribers: one write each, and what becomes of clients that do not read."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from ipc.frames import data
from ipc.frames.data import Ack
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.accounts.fanout import (
    EVENT,
    MESSAGE,
    STATUS,
    Fanout,
    event_frame,
    event_of,
    message_frames,
)
from tests.support.gateway_rig import gateway_rig, payload
from tests.support.handshakes import greeted
from tests.support.until import until

UI = {"id": "openclaw-control-ui", "version": "1", "platform": "linux", "mode": "ui"}


HAPPENED_PAYLOAD = (
    b'{"account":"irc:a","channel":"irc","accountId":"a","cursor":"1:2","happened":1}'
)


def test_a_pack_is_messages_and_events_in_their_order() -> None:
    fanning = Fanning()
    both, one = fanning.watcher(None, MESSAGE, EVENT), fanning.watcher(None, MESSAGE)
    happened = [0, data.HAPPENED, data.HAPPENED | data.REDELIVERED, data.INBOUND]
    payloads = [b"[1]", b"[2]", b"[3]", b"[4]"]
    fanning.fanout.publish_pack("irc:a", bytes(happened), payloads)
    fanning.fanout.publish_pack("irc:a", b"\1\3", [b"[5]", b"[6]"])
    fanning.fanout.flush()
    kinds = [MESSAGE, EVENT, EVENT, MESSAGE, MESSAGE, MESSAGE]
    frames = [event_frame(kind, b"[%d]" % number) for number, kind in enumerate(kinds, 1)]
    assert both.written == [b"".join(frames)]
    assert one.written == [b"".join(frames[:1] + frames[3:])]
    assert fanning.fanout.published == 6


def test_a_kept_payload_shows_of_which_event_it_is() -> None:
    assert event_of(payload("irc:a", 1)) == MESSAGE
    assert event_of(HAPPENED_PAYLOAD) == EVENT
    sly = HAPPENED_PAYLOAD.replace(b":1}", b':"\\"direction\\":"}')
    assert event_of(sly) == EVENT


async def test_a_client_that_does_not_read_is_closed_and_the_others_notice_nothing() -> None:
    async with gateway_rig(limits={"bufferedBytes": 65536}) as rig:
        worker = await rig.worker("irc:libera")
        deaf = await greeted(rig, caps=["channel-events"])
        deaf.socket.transport.pause_reading()
        watcher = await rig.watcher()
        count, text = 2000, "x" * 1000
        async with asyncio.timeout(20):
            for seq in range(1, count + 1):
                worker.say(seq, text=text)
                # As a worker's window does; more than its queue would be refused.
                if seq % 100 == 0:
                    while (await worker.next(Ack)).seq < seq:
                        pass
            seen = 0
            async for each in watcher.events():
                seen += each.event == "channel.message"
                if seen == count:
                    break
        assert watcher.gaps == 0
        assert rig.parts.server.unread.slow == 1
        deaf.socket.transport.resume_reading()
        code, reason = await deaf.closed()
        assert (code, reason) in ((1008, "slow consumer"), (1006, ""))


async def test_a_flood_waits_for_a_client_that_reads_instead_of_having_it_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ipc.websocket.back_pressure.CHECK_SECONDS", 30.0)
    async with gateway_rig(limits={"bufferedBytes": 65536}) as rig:
        worker = await rig.worker("irc:libera")
        other = await rig.client()
        reader = await greeted(rig, caps=["channel-events"])
        reader.socket.transport.pause_reading()
        seq, text = 0, "x" * 1000
        while not rig.parts.server.patient:  # the kernel takes some hundreds at first
            seq += 1
            worker.say(seq, text=text)
            await until(lambda: rig.parts.data_link.messages == seq)  # noqa: B023 - at once
        worker.say(seq + 1, text=text)
        await until(lambda: rig.parts.data_link.messages == seq + 1)
        await other.call("health")
        frames = [worker.frames.get_nowait() for _ in range(worker.frames.qsize())]
        acked = [frame.seq for frame in frames if isinstance(frame, Ack)]
        assert max(acked) <= seq  # the last one was handed on, but no credit for more yet
        reader.socket.transport.resume_reading()
        for number in range(1, seq + 2):
            assert (await reader.event("channel.message"))["payload"]["cursor"] == f"1:{number}"
        while (await worker.next(Ack)).seq < seq + 1:
            pass
        assert rig.parts.server.unread.slow == 0


class Watcher:
    """A client as the fan-out sees it: it records what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.connection = self

    def send_framed(self, framed: bytes) -> None:
        self.written.append(framed)


class Fanning:
    """A fan-out, the number of flushes it has asked for, and its watchers."""

    def __init__(self) -> None:
        self.flushes = 0
        self.fanout = Fanout(self.flush_soon)

    def flush_soon(self) -> None:
        self.flushes += 1

    def watcher(self, accounts: list[str] | None, *events: str) -> Watcher:
        watcher = Watcher()
        self.fanout.subscribe(cast(ClientView, watcher), accounts, events)
        return watcher

    def publish(self, key: str, event: str, *pieces: bytes) -> None:
        self.fanout.publish(key, event, list(pieces), 1)


def test_the_events_of_a_turn_are_one_write_to_each_subscriber() -> None:
    fanning = Fanning()
    everything = [fanning.watcher(None, MESSAGE, STATUS) for _ in range(2)]
    one = fanning.watcher(["irc:a"], MESSAGE)
    for key, event, body in (("irc:a", MESSAGE, b"1"), ("irc:b", MESSAGE, b"2"),
                             ("irc:a", STATUS, b"3")):  # fmt: skip
        fanning.publish(key, event, body)
    assert one.written == []
    fanning.fanout.flush()
    assert [each.written for each in everything] == [[b"123"], [b"123"]]
    assert one.written == [b"1"]
    assert (fanning.fanout.published, fanning.fanout.delivered) == (3, 7)
    fanning.fanout.flush()
    assert one.written == [b"1"], "nothing is sent twice"


def test_a_new_subscription_replaces_the_old_one_and_gets_nothing_of_before() -> None:
    fanning = Fanning()
    watcher = fanning.watcher(["irc:a"], MESSAGE)
    fanning.publish("irc:a", MESSAGE, b"before")
    fanning.fanout.subscribe(cast(ClientView, watcher), ["irc:b"], [MESSAGE])
    assert watcher.written == [b"before"], "what was pending belongs to the time before"
    fanning.publish("irc:a", MESSAGE, b"old")
    fanning.publish("irc:b", MESSAGE, b"new")
    fanning.fanout.flush()
    assert watcher.written == [b"before", b"new"]


def test_a_client_that_has_left_gets_nothing_more() -> None:
    fanning = Fanning()
    watcher = fanning.watcher(None, MESSAGE)
    fanning.publish("irc:a", MESSAGE, b"pending")
    fanning.fanout.unsubscribe(cast(ClientView, watcher))
    fanning.fanout.unsubscribe(cast(ClientView, watcher))
    fanning.publish("irc:a", MESSAGE, b"late")
    fanning.fanout.flush()
    assert watcher.written == []


def test_an_event_asks_for_its_flush() -> None:
    fanning = Fanning()
    watcher = fanning.watcher(None, STATUS)
    fanning.fanout.publish_payload("irc:a", STATUS, b"{}")
    assert fanning.flushes == 1
    fanning.fanout.flush()
    assert watcher.written == [event_frame(STATUS, b"{}")]


@pytest.mark.parametrize("size", [2, 100, 200, 70_000])
def test_the_pieces_of_messages_are_the_frames_of_their_events(size: int) -> None:
    payloads = [b'"%b"' % (b"x" * size), b"{}"]
    framed = b"".join(message_frames(payloads))
    assert framed == b"".join(event_frame(MESSAGE, payload) for payload in payloads)

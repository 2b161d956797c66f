"""Events to subscribers: one write each, and what becomes of clients that do not read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.frames.data import Ack
from tests.support.gateway_rig import TOKEN, GatewayRig, gateway_rig
from tests.support.rawclient import RawClient
from tests.support.until import until

UI = {"id": "openclaw-control-ui", "version": "1", "platform": "linux", "mode": "ui"}


async def raw(rig: GatewayRig, protocol: int = 4, **more: Any) -> RawClient:
    client = await RawClient.open(rig.url)
    rig.opened.append(client)
    await client.hello(TOKEN, protocol, **more)
    return client


async def event(client: RawClient, name: str) -> Any:
    while (frame := await client.next()).get("event") != name:
        pass
    return frame


async def test_a_client_that_does_not_read_is_closed_and_the_others_notice_nothing() -> None:
    async with gateway_rig(limits={"bufferedBytes": 65536}) as rig:
        worker = await rig.worker("irc:libera")
        deaf = await raw(rig, caps=["channel-events"])
        deaf.socket.transport.pause_reading()
        watcher = await rig.watcher()
        count, text = 2000, "x" * 1000
        async with asyncio.timeout(20):
            for seq in range(1, count + 1):
                worker.say(seq, text=text)
                if (
                    seq % 100 == 0
                ):  # as a worker's window does; more than its queue would be refused
                    while (await worker.next(Ack)).seq < seq:
                        pass
            seen = 0
            async for each in watcher.events():
                seen += each.event == "channel.message"
                if seen == count:
                    break
        assert watcher.gaps == 0
        assert rig.hub.server.slow == 1
        deaf.socket.transport.resume_reading()
        code, reason = await deaf.closed()
        assert (code, reason) in ((1008, "slow consumer"), (1006, ""))


async def test_a_flood_waits_for_a_client_that_reads_instead_of_having_it_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ipc.websocket.server.PATIENCE", 30.0)
    async with gateway_rig(limits={"bufferedBytes": 65536}) as rig:
        worker = await rig.worker("irc:libera")
        other = await rig.client()
        reader = await raw(rig, caps=["channel-events"])
        reader.socket.transport.pause_reading()
        seq, text = 0, "x" * 1000
        while not rig.hub.server.patient:  # the kernel takes some hundreds at first
            seq += 1
            worker.say(seq, text=text)
            await until(lambda: rig.hub.data_link.messages == seq)  # noqa: B023 - at once
        worker.say(seq + 1, text=text)
        await until(lambda: rig.hub.data_link.messages == seq + 1)
        await other.call("health")
        frames = [worker.frames.get_nowait() for _ in range(worker.frames.qsize())]
        acked = [frame.seq for frame in frames if isinstance(frame, Ack)]
        assert max(acked) <= seq  # the last one was handed on, but no credit for more yet
        reader.socket.transport.resume_reading()
        for number in range(1, seq + 2):
            assert (await event(reader, "channel.message"))["payload"]["cursor"] == f"1:{number}"
        while (await worker.next(Ack)).seq < seq + 1:
            pass
        assert rig.hub.server.slow == 0

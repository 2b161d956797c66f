"""What accounts say, on its way to the clients: order, duplicates, gaps, replay."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec

from ipc.envelope import Ack, Message, Refused, Welcome
from ipc.frames import Event
from ipc.wsclient import Client
from tests.support.house import house, payload, row

KEY = "irc:libera"


async def take(client: Client, count: int, name: str = "channel.message") -> list[Any]:
    """Return the payloads of the next ``count`` events of that name."""
    found: list[Any] = []
    async with asyncio.timeout(5):
        async for event in client.events():
            if event.event == name:
                found.append(msgspec.json.decode(cast(msgspec.Raw, event.payload)))
            if len(found) == count:
                break
    return found


async def test_a_message_reaches_a_watcher_as_the_worker_wrote_it() -> None:
    async with house() as home:
        watcher = await home.watcher()
        worker = await home.worker(KEY)
        worker.say(1, text="grüße")
        found = await take(watcher, 1)
        assert found == [msgspec.json.decode(payload(KEY, 1, text="grüße"))]


async def test_messages_are_acknowledged_once_handed_on() -> None:
    async with house() as home:
        worker = await home.worker(KEY)
        for seq in range(1, 4):
            worker.say(seq)
        ack = await worker.next(Ack)
        while ack.seq < 3:
            ack = await worker.next(Ack)
        assert home.gateway.workers.messages == 3

"""The event ``channel.figures`` at clients, who share what is made for them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.websocket import Event
from ipc.websocket.client import Client
from tests.support.gateway_rig import GatewayRig, gateway_rig, row
from tests.support.until import PATIENCE, until

KEY = "irc:libera"


class Receiver:
    """A client, and the figures that it is sent."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.client: Client

    @classmethod
    async def of(cls, rig: GatewayRig) -> Receiver:
        self = cls()
        self.client = await rig.client(on_event=self._events.put_nowait)
        return self

    async def subscribe(self, **params: Any) -> None:
        await self.client.call("events.subscribe", {"events": []} | params)

    async def next(self) -> dict[str, Any]:
        """Return the next figures."""
        async with asyncio.timeout(PATIENCE):
            while (event := await self._events.get()).event != "channel.figures":
                pass
        assert event.seq is msgspec.UNSET
        assert isinstance(event.payload, msgspec.Raw)
        found: dict[str, Any] = msgspec.json.decode(event.payload)
        return found


async def test_who_subscribes_gets_everything_at_once_and_then_what_has_changed() -> None:
    async with gateway_rig() as rig:
        early, late = await Receiver.of(rig), await Receiver.of(rig)
        await early.subscribe(figures={"everyMs": 1000})
        first = await early.next()
        assert (first["keys"], first["in"]) == ([KEY], [0])
        await rig.report(figures={KEY: row(KEY, messages_in=3, rss_bytes=2048)})
        second = await early.next()
        assert (second["revision"], second["in"], second["rss"]) == (first["revision"], [3], [2])
        await late.subscribe(figures={"everyMs": 1000})
        joined = await late.next()
        assert (joined["keys"], joined["rss"], joined["in"]) == ([KEY], [2], [0])


async def test_a_subscription_ends_when_it_is_taken_back_or_its_client_is_gone() -> None:
    async with gateway_rig() as rig:
        one, other = await Receiver.of(rig), await Receiver.of(rig)
        streams = rig.parts.figures.streams
        await one.subscribe(figures=True)
        await other.subscribe(figures={"everyMs": 60_000})
        assert sorted(streams.paces) == [5000, 60_000]
        await one.subscribe(accounts=[])
        assert sorted(streams.paces) == [5000, 60_000]  # another choice changes nothing of it
        await one.subscribe(figures=False)
        assert streams.paces == [60_000]
        await other.client.close()
        await until(lambda: not streams.paces)


@pytest.mark.parametrize("wrong", [{"everyMs": 999}, {"everyMs": 60_001}, {"every": 5}, 5])
async def test_a_pace_that_is_none_is_refused(wrong: Any) -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        with pytest.raises(RemoteError, match=r"invalid events\.subscribe params"):
            await client.call("events.subscribe", {"figures": wrong})

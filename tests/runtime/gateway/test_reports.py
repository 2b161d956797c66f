"""What a report of the supervisor changes for clients."""

from __future__ import annotations

import asyncio

import msgspec

from ipc.frames.websocket import Event
from tests.support.gateway_rig import gateway_rig, row

KEY = "irc:libera"


async def test_a_new_revision_is_told_to_everybody_who_may_read() -> None:
    async with gateway_rig() as rig:
        seen: asyncio.Queue[Event] = asyncio.Queue()
        await rig.client(on_event=seen.put_nowait)
        await rig.report(row(KEY), revision="r2")
        async with asyncio.timeout(5):
            while (event := await seen.get()).event != "config.changed":
                pass
        assert isinstance(event.payload, msgspec.Raw)
        told = msgspec.json.decode(event.payload)
        assert (told["path"], told["hash"]) == ("/state/trunkline.json5", "r2")

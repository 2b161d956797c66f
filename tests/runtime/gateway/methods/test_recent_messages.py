"""``messages.recent``, over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.data import HAPPENED, INBOUND, Messages
from tests.support.gateway_rig import gateway_rig, payload, row, single
from tests.support.until import until

KEYS = ("irc:libera", "irc:oftc")


async def recent(client: Any, **params: Any) -> list[str]:
    found = (await client.call("messages.recent", params))["messages"]
    return [each["cursor"] + " " + each["account"] for each in found]


async def test_the_newest_messages_of_all_accounts_come_first() -> None:
    async with gateway_rig(*map(row, KEYS)) as rig:
        one, other = [await rig.worker(key) for key in KEYS]
        one.send(
            Messages(1, bytes([INBOUND] * 3), [payload(KEYS[0], n, ts=n * 10) for n in (1, 2, 3)])
        )
        other.send(single(1, INBOUND, payload(KEYS[1], 1, ts=25)))
        names = b'{"account":"irc:oftc","channel":"irc","accountId":"oftc"'
        other.send(single(2, HAPPENED, names + b',"cursor":"1:2","happened":{"kind":"read"}}'))
        rings = rig.parts.rings
        await until(lambda: len(rings.of(KEYS[0])) == 3 and len(rings.of(KEYS[1])) == 2)
        client = await rig.client()
        libera, oftc = KEYS
        newest = [f"1:3 {libera}", f"1:1 {oftc}", f"1:2 {libera}", f"1:1 {libera}"]
        assert await recent(client) == newest
        assert await recent(client, limit=2) == newest[:2]
        assert await recent(client, accounts=[oftc]) == newest[1:2]
        assert await recent(client, accounts=["irc:none"]) == []
        with pytest.raises(RemoteError, match=r"invalid messages\.recent params"):
            await client.call("messages.recent", {"limit": 0})

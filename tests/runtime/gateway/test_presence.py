"""The rows of connected and recently connected clients."""

from __future__ import annotations

from tests.support.devices import Key, offer, paired
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted
from tests.support.until import until

UI = {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "ui"}


async def test_a_device_that_has_left_stays_in_the_list() -> None:
    async with gateway_rig() as rig:
        key = Key()
        client, _ = await offer(rig, key, client=UI)
        await client.socket.close()
        await until(lambda: len(rig.parts.hub.clients) == 1)
        watcher = await rig.client()
        rows = await watcher.call("system-presence")
        assert [(row["deviceId"], row["reason"]) for row in rows[1:]] == [(key.id, "disconnect")]
        await offer(rig, key, client=UI)
        rows = await watcher.call("system-presence")
        assert [(row["deviceId"], row["reason"]) for row in rows[1:]] == [(key.id, "connect")]


async def test_protocol_3_lists_every_connection_and_who_has_left() -> None:
    async with gateway_rig() as rig:
        gone = await greeted(rig)
        await gone.socket.close()
        client = await paired(rig, Key(), 3)
        await until(lambda: len(rig.parts.hub.clients) == 2)
        rows = (await client.call("system-presence"))["payload"]
        assert rows[0]["mode"] == "gateway"
        assert [row["reason"] for row in rows[1:]].count("disconnect") == 1

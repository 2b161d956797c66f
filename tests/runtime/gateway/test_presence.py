"""The rows of connected and recently connected clients."""

from __future__ import annotations

from tests.support.devices import Key, offer
from tests.support.gateway_rig import gateway_rig
from tests.support.until import until

UI = {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "ui"}


async def test_a_device_that_has_left_stays_in_the_list() -> None:
    async with gateway_rig() as rig:
        key = Key()
        client, _ = await offer(rig, key, client=UI)
        await client.socket.close()
        await until(lambda: len(rig.hub.clients) == 1)
        watcher = await rig.client()
        rows = await watcher.call("system-presence")
        assert [(row["deviceId"], row["reason"]) for row in rows[1:]] == [(key.id, "disconnect")]
        await offer(rig, key, client=UI)
        rows = await watcher.call("system-presence")
        assert [(row["deviceId"], row["reason"]) for row in rows[1:]] == [(key.id, "connect")]

"""``system-event``, over real sockets."""

from __future__ import annotations

from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted


async def test_a_system_event_is_a_row_of_the_presence() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        told = {"text": "Node: bench online", "deviceId": "bench1", "host": "h1", "tags": ["a"]}
        assert (await client.call("system-event", told))["payload"] == {"ok": True}
        event = await client.event("presence")
        (row,) = event["payload"]["presence"][1:]
        assert {name: row[name] for name in told} == told
        await client.call("system-event", told | {"text": "again"})
        rows = (await client.call("system-presence"))["payload"]
        assert [each["text"] for each in rows[1:]] == ["again"]
        refused = (await client.call("system-event", {}))["error"]["message"]
        assert refused == "invalid system-event params: must have required property 'text'"


async def test_clients_are_listed_with_what_they_are_and_have_asked() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        await client.call("health", {})
        (mine,) = (await client.call("gateway.clients", {}))["payload"]["clients"]
        assert (mine["role"], mine["address"], mine["you"]) == ("operator", "127.0.0.1", True)
        assert (mine["requests"], mine["errors"]) == (2, 0)
        assert mine["ageMs"] >= 0

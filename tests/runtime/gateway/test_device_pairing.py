"""What operators learn of pairings, and which connections end with one."""

from __future__ import annotations

import msgspec

from ipc.frames.websocket import Event
from runtime.gateway.access.scopes import NODE
from runtime.gateway.device_pairing import announce_device_decision, invalidate
from tests.support.devices import Key, node, paired
from tests.support.gateway_rig import gateway_rig


async def test_a_decision_is_announced_to_those_who_may_decide() -> None:
    async with gateway_rig() as rig:
        seen: dict[str, list[Event]] = {"operator.pairing": [], "operator.read": []}
        clients = [
            await rig.client(scopes=[scope], on_event=events.append)
            for scope, events in seen.items()
        ]
        announce_device_decision(rig.parts.hub, "request-1", "device-1", "rejected")
        for client in clients:
            await client.call("health")
        (event,) = [each for each in seen["operator.pairing"] if "pair" in each.event]
        assert event.event == "device.pair.resolved"
        assert isinstance(event.payload, msgspec.Raw)
        told = msgspec.json.decode(event.payload)
        assert (told["requestId"], told["deviceId"]) == ("request-1", "device-1")
        assert told["decision"] == "rejected"
        assert [each for each in seen["operator.read"] if "pair" in each.event] == []


async def test_only_the_connections_of_that_device_end() -> None:
    async with gateway_rig() as rig:
        key, other = Key(), Key()
        gone, stays = await paired(rig, key), await paired(rig, other)
        invalidate(rig.parts.hub, key.id, "test")
        assert await gone.closed() == (4001, "client invalidated: test")
        assert (await stays.call("health"))["ok"]


async def test_a_role_may_end_alone() -> None:
    async with gateway_rig() as rig:
        key = Key()
        operator, as_node = await paired(rig, key), await node(rig, key)
        invalidate(rig.parts.hub, key.id, "test", NODE)
        assert await as_node.closed() == (4001, "client invalidated: test")
        assert (await operator.call("health"))["ok"]


async def test_a_node_that_connects_anew_ends_its_older_connection() -> None:
    async with gateway_rig() as rig:
        key = Key()
        older = await node(rig, key)
        newer = await node(rig, key)
        assert await older.closed() == (4001, "client invalidated: node connected anew")
        assert (await newer.call("health"))["ok"]

"""``node.pair.*``: approval of what nodes offer."""

from __future__ import annotations

from typing import Any

from tests.support.devices import Key, node, paired
from tests.support.gateway_rig import gateway_rig
from tests.support.nodes import GOLDEN, approved, operator, recorded
from tests.support.until import until

OURS = {"remoteIp"}  # what the recording leaves out and the schema allows


def shape(value: Any) -> Any:
    """Return the keys of objects, and what is in the first row of lists."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items() if key not in OURS}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]] if value and isinstance(value[0], dict) else []
    return None


async def test_pairing_has_the_shapes_of_the_recording() -> None:
    async with gateway_rig() as rig:
        client, key = await operator(rig), Key()
        other = await node(rig, key, "canvas.present", "test.echo")
        event = await client.event("node.pair.requested")
        told = next(e["frame"] for e in GOLDEN if e["frame"].get("event") == "node.pair.requested")
        assert shape(event["payload"]) | {"deviceFamily": None} == shape(told["payload"])
        assert event["payload"]["requiredApproveScopes"] == ["operator.pairing", "operator.write"]
        listed = (await client.call("node.pair.list", {}))["payload"]
        expected = shape(recorded("node.pair.list")[1])
        del expected["pending"][0]["deviceFamily"]
        assert shape(listed) == expected
        request = {"requestId": event["payload"]["requestId"]}
        answer = (await client.call("node.pair.approve", request))["payload"]
        expected = shape(recorded("node.pair.approve")[1])
        del expected["node"]["deviceFamily"]
        assert shape(answer) == expected
        resolved = await other.event("node.pair.resolved")
        assert resolved["payload"]["decision"] == "approved"
        assert "seq" not in resolved
        (row,) = (await client.call("node.list", {}))["payload"]["nodes"]
        want = set(recorded("node.list")[1]["nodes"][0]) - {"deviceFamily", "lastConnectedAtMs"}
        assert want <= set(row)
        described = (await client.call("node.describe", {"nodeId": key.id}))["payload"]
        assert {**described, "ts": 0} == row | {"ts": 0}
        assert (row["approvalState"], row["commands"]) == (
            "approved",
            ["canvas.present", "test.echo"],
        )


async def test_powerful_commands_take_an_admin_to_approve() -> None:
    async with gateway_rig() as rig:
        lesser = await operator(rig, scopes=["operator.pairing", "operator.write"])
        await node(rig, Key(), "system.run")
        event = await lesser.event("node.pair.requested")
        answer = await lesser.call(
            "node.pair.approve", {"requestId": event["payload"]["requestId"]}
        )
        assert answer["error"]["message"] == "missing scope: operator.admin"


async def test_a_node_that_offers_more_is_approved_again() -> None:
    async with gateway_rig() as rig:
        client = await operator(rig)
        key, other = await approved(rig, client, "a.b")
        await other.socket.close()
        await node(rig, key, "a.b", "c.d")
        (row,) = (await client.call("node.list"))["payload"]["nodes"]
        assert (row["approvalState"], row["commands"]) == ("pending-reapproval", ["a.b"])


async def test_rename_reject_and_remove() -> None:
    async with gateway_rig() as rig:
        client = await operator(rig)
        key, other = await approved(rig, client, "a.b")
        renamed = {"nodeId": key.id, "displayName": "Kitchen"}
        assert (await client.call("node.rename", renamed))["payload"] == renamed
        (row,) = (await client.call("node.list"))["payload"]["nodes"]
        assert row["displayName"] == "Kitchen"
        blank = await client.call("node.rename", renamed | {"displayName": " \t"})
        assert blank["error"] == {"code": "INVALID_REQUEST", "message": "displayName required"}
        (row,) = (await client.call("node.list"))["payload"]["nodes"]
        assert row["displayName"] == "Kitchen"
        assert (await client.call("node.pair.remove", {"nodeId": key.id}))["payload"] == {
            "nodeId": key.id
        }
        assert await other.closed() == (4001, "client invalidated: node-pair-removed")
        await until(lambda: not rig.parts.nodes.connected)
        assert (await client.call("node.list"))["payload"]["nodes"] == []
        for method in ("node.pair.remove", "node.rename"):
            params = renamed if method == "node.rename" else {"nodeId": key.id}
            answer = await client.call(method, params)
            assert answer["error"]["message"] == "unknown nodeId"
        await node(rig, Key(), "c.d")
        (asked,) = (await client.call("node.pair.list"))["payload"]["pending"]
        request = {"requestId": asked["requestId"]}
        rejected = (await client.call("node.pair.reject", request))["payload"]
        assert rejected == request | {"nodeId": asked["nodeId"]}
        for method in ("node.pair.approve", "node.pair.reject"):
            assert (await client.call(method, request))["error"]["message"] == "unknown requestId"


async def test_asking_and_verifying_belong_to_protocol_3() -> None:
    async with gateway_rig() as rig:
        old = await paired(rig, Key(), 3, scopes=["operator.admin"])
        for created in (True, False):
            answer = (await old.call("node.pair.request", {"nodeId": "n-1"}))["payload"]
            assert (answer["status"], answer["created"]) == ("pending", created)
            assert answer["request"]["nodeId"] == "n-1"
        verify = {"nodeId": "n-1", "token": "t"}
        assert (await old.call("node.pair.verify", verify))["payload"] == {"ok": False}
        answer = await (await operator(rig)).call("node.pair.verify", verify)
        assert answer["error"]["message"] == "unknown method: node.pair.verify"

"""Nodes over real sockets: the recorded exchange of an operator and a node, and what may fail."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.devices import Key, node, paired
from tests.support.house import TOKEN, House, house
from tests.support.rawclient import RawClient, connect_params
from tests.support.until import until

PLACE = Path(__file__).parents[3] / "golden/node_invoke.jsonl"
GOLDEN = [json.loads(line) for line in PLACE.read_text().splitlines()]
OURS = {"remoteIp"}  # what the recording leaves out and the schema allows


def recorded(method: str, nth: int = 0) -> tuple[Any, Any]:
    """Return the params and the answer of a recorded call."""
    asked = [each["frame"] for each in GOLDEN if each["frame"].get("method") == method][nth]
    answers = [each["frame"] for each in GOLDEN if each["frame"].get("type") == "res"]
    answer = next(each for each in answers if each["id"] == asked["id"])
    return asked["params"], answer.get("payload", answer.get("error"))


def shape(value: Any) -> Any:
    """Return the keys of objects, and what is in the first row of lists."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items() if key not in OURS}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]] if value and isinstance(value[0], dict) else []
    return None


async def operator(home: House, protocol: int = 4, **more: Any) -> RawClient:
    client = await RawClient.open(home.url)
    home.opened.append(client)
    scopes = ["operator.admin", "operator.pairing", "operator.read", "operator.write"]
    more = {"scopes": scopes} | more
    await client.hello(TOKEN, protocol, **more)
    return client


async def approved(home: House, client: RawClient, *commands: str) -> tuple[Key, RawClient]:
    """Return a node whose commands the operator has approved."""
    key = Key()
    found = await node(home, key, *commands)
    pending = (await client.call("node.pair.list"))["payload"]["pending"]
    (request,) = [each["requestId"] for each in pending if each["nodeId"] == key.id]
    assert (await client.call("node.pair.approve", {"requestId": request}))["ok"]
    return key, found


async def test_pairing_has_the_shapes_of_the_recording() -> None:
    async with house() as home:
        client, key = await operator(home), Key()
        other = await node(home, key, "canvas.present", "test.echo")
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


@pytest.mark.parametrize("form", ["payload", "payloadJSON"])
async def test_a_command_goes_to_the_node_and_its_answer_back(form: str) -> None:
    async with house() as home:
        client = await operator(home)
        key, other = await approved(home, client, "test.echo")
        params, answer = recorded("node.invoke")
        asked = asyncio.create_task(client.call("node.invoke", params | {"nodeId": key.id}))
        request = (await other.event("node.invoke.request"))["payload"]
        assert request == {
            "id": request["id"],
            "nodeId": key.id,
            "command": "test.echo",
            "paramsJSON": '{"x": 1}',
            "timeoutMs": 2500,
            "idempotencyKey": "i-test.echo",
        }
        said = {"echo": request["paramsJSON"]}
        result = {"id": request["id"], "nodeId": key.id, "ok": True}
        result[form] = said if form == "payload" else json.dumps(said)
        assert (await other.call("node.invoke.result", result))["payload"] == {"ok": True}
        got = (await asked)["payload"]
        assert got["payload"] == said
        assert json.loads(got["payloadJSON"]) == said
        assert set(got) == set(answer)
        late = (await other.call("node.invoke.result", result))["payload"]
        assert late == {"ok": True, "ignored": True}


async def test_a_command_is_carried_out_once_per_key() -> None:
    """Who asks while it runs gets its answer too, and so does who asks afterwards."""
    async with house() as home:
        key, other = await approved(home, await operator(home), "test.echo")
        params = recorded("node.invoke")[0] | {"nodeId": key.id, "timeoutMs": 5000}
        client = await home.client()
        asked = [asyncio.create_task(client.call("node.invoke", params)) for _ in range(2)]
        request = (await other.event("node.invoke.request"))["payload"]
        await until(lambda: len(home.gateway.jobs) == 2)
        result = {"id": request["id"], "nodeId": key.id, "ok": True, "payload": {"n": 1}}
        await other.call("node.invoke.result", result)
        answers = [await each for each in asked] + [await client.call("node.invoke", params)]
        assert [each["payload"] for each in answers] == [{"n": 1}] * 3
        again = asyncio.create_task(client.call("node.invoke", params | {"idempotencyKey": "2"}))
        second = (await other.event("node.invoke.request"))["payload"]
        assert second["idempotencyKey"] == "2"
        large = {"id": second["id"], "nodeId": key.id, "ok": True, "payload": "x" * 20_000}
        await other.call("node.invoke.result", large)
        assert (await again)["payload"] == "x" * 20_000
        assert len(home.gateway.nodes.invoked) == 1, "a large answer is not remembered"


async def test_another_command_under_the_same_key_is_not_given_the_old_answer() -> None:
    """A key that is used again by mistake must not make one thing look like another."""
    async with house() as home:
        client = await operator(home)
        key, other = await approved(home, client, "light.on", "light.off")
        base = {"nodeId": key.id, "idempotencyKey": "k", "timeoutMs": 5000}
        for said in (
            {"command": "light.on", "params": {"room": 1}},
            {"command": "light.on", "params": {"room": 2}},
            {"command": "light.on"},
            {"command": "light.off", "params": {"room": 1}},
        ):
            asked = asyncio.create_task(client.call("node.invoke", base | said))
            request = (await other.event("node.invoke.request"))["payload"]
            result = {"id": request["id"], "nodeId": key.id, "ok": True, "payload": said}
            await other.call("node.invoke.result", result)
            got = (await asked)["payload"]
            assert (got["command"], got["payload"]) == (said["command"], said)


async def test_a_node_that_says_nothing_is_told_to_stop() -> None:
    async with house() as home:
        client = await operator(home)
        key, other = await approved(home, client, "canvas.present")
        params = recorded("node.invoke", 1)[0] | {"nodeId": key.id, "timeoutMs": 30}
        error = (await client.call("node.invoke", params))["error"]
        assert error == recorded("node.invoke", 1)[1]
        request = (await other.event("node.invoke.request"))["payload"]
        cancel = (await other.event("node.invoke.cancel"))["payload"]
        assert cancel == {"invokeId": request["id"], "nodeId": key.id}


async def test_a_node_that_fails_or_leaves() -> None:
    async with house() as home:
        client = await operator(home)
        key, other = await approved(home, client, "a.b")
        params = {"nodeId": key.id, "command": "a.b", "idempotencyKey": "k"}
        asked = asyncio.create_task(client.call("node.invoke", params))
        request = (await other.event("node.invoke.request"))["payload"]
        failed = {"id": request["id"], "nodeId": key.id, "ok": False}
        failed["error"] = {"code": "BROKEN", "message": "no screen"}
        await other.call("node.invoke.result", failed)
        error = (await asked)["error"]
        assert (error["code"], error["message"]) == ("UNAVAILABLE", "BROKEN: no screen")
        asked = asyncio.create_task(client.call("node.invoke", params))
        await other.event("node.invoke.request")
        await other.socket.close()
        error = (await asked)["error"]
        assert error["details"]["nodeError"]["code"] == "NOT_CONNECTED"
        assert error["retryable"] is True


@pytest.mark.parametrize(
    ("config", "offered", "command", "allowed"),
    [
        ({}, ["a.b"], "a.b", True),
        ({}, ["a.b"], "nope.cmd", False),
        ({}, ["camera.snap"], "camera.snap", False),
        ({"allowCommands": ["camera.snap"]}, ["camera.snap"], "camera.snap", True),
        ({"allowCommands": ["nope.cmd"]}, ["a.b"], "nope.cmd", False),
        ({"denyCommands": ["a.b"], "allowCommands": ["a.b"]}, ["a.b"], "a.b", False),
    ],
)
async def test_what_a_node_may_be_asked(
    config: dict[str, Any], offered: list[str], command: str, allowed: bool
) -> None:
    async with house(nodes=config) as home:
        client = await operator(home)
        key, _ = await approved(home, client, *offered)
        params = {"nodeId": key.id, "command": command, "idempotencyKey": "k", "timeoutMs": 20}
        error = (await client.call("node.invoke", params))["error"]
        if allowed:
            assert error["message"] == "TIMEOUT: node invoke timed out"
            return
        where = 'is not in the allowlist for platform "linux"'
        assert error == {
            "code": "INVALID_REQUEST",
            "message": f'node command not allowed: "{command}" {where}',
            "details": {"reason": "command not allowlisted", "command": command},
        }


async def test_a_node_without_approval_does_nothing() -> None:
    async with house() as home:
        client, key = await operator(home), Key()
        await node(home, key, "a.b")
        params = {"nodeId": key.id, "command": "a.b", "idempotencyKey": "k"}
        assert (await client.call("node.invoke", params))["error"]["code"] == "INVALID_REQUEST"
        (row,) = (await client.call("node.list"))["payload"]["nodes"]
        assert (row["paired"], row["approvalState"]) == (False, "pending-approval")


@pytest.mark.parametrize(
    ("protocol", "error"),
    [
        (4, {"code": "PAIRING_CHANGED"}),
        (3, {"code": "NOT_CONNECTED"}),
    ],
)
async def test_a_node_that_is_not_there(protocol: int, error: dict[str, str]) -> None:
    async with house() as home:
        client, key = await operator(home), Key()
        # Without a device Protocol 3 leaves no scopes: the operator of 3 is a device.
        scopes = ["operator.write", "operator.read"]
        caller = await paired(home, key, 3, scopes=scopes) if protocol == 3 else client
        params = {"nodeId": "nope", "command": "a.b", "idempotencyKey": "k"}
        answer = (await caller.call("node.invoke", params))["error"]
        assert (answer["code"], answer["details"]) == ("UNAVAILABLE", error)
        assert answer.get("retryable") is (True if protocol == 4 else None)
        unknown = (await caller.call("node.describe", {"nodeId": "nope"}))["error"]
        assert unknown == {"code": "INVALID_REQUEST", "message": "unknown nodeId"}


async def test_powerful_commands_take_an_admin_to_approve() -> None:
    async with house() as home:
        lesser = await operator(home, scopes=["operator.pairing", "operator.write"])
        await node(home, Key(), "system.run")
        event = await lesser.event("node.pair.requested")
        answer = await lesser.call(
            "node.pair.approve", {"requestId": event["payload"]["requestId"]}
        )
        assert answer["error"]["message"] == "missing scope: operator.admin"


async def test_a_node_that_offers_more_is_approved_again() -> None:
    async with house() as home:
        client = await operator(home)
        key, other = await approved(home, client, "a.b")
        await other.socket.close()
        await node(home, key, "a.b", "c.d")
        (row,) = (await client.call("node.list"))["payload"]["nodes"]
        assert (row["approvalState"], row["commands"]) == ("pending-reapproval", ["a.b"])


async def test_rename_reject_and_remove() -> None:
    async with house() as home:
        client = await operator(home)
        key, other = await approved(home, client, "a.b")
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
        await until(lambda: not home.gateway.nodes.connected)
        assert (await client.call("node.list"))["payload"]["nodes"] == []
        for method in ("node.pair.remove", "node.rename"):
            params = renamed if method == "node.rename" else {"nodeId": key.id}
            answer = await client.call(method, params)
            assert answer["error"]["message"] == "unknown nodeId"
        await node(home, Key(), "c.d")
        (asked,) = (await client.call("node.pair.list"))["payload"]["pending"]
        request = {"requestId": asked["requestId"]}
        rejected = (await client.call("node.pair.reject", request))["payload"]
        assert rejected == request | {"nodeId": asked["nodeId"]}
        for method in ("node.pair.approve", "node.pair.reject"):
            assert (await client.call(method, request))["error"]["message"] == "unknown requestId"


async def test_approvals_outlive_the_gateway(tmp_path: Path) -> None:
    async with house(state_dir=tmp_path) as home:
        client = await operator(home)
        key, _ = await approved(home, client, "a.b")
    async with house(state_dir=tmp_path) as home:
        client = await operator(home)
        (row,) = (await client.call("node.list"))["payload"]["nodes"]
        assert (row["nodeId"], row["connected"], row["commands"]) == (key.id, False, ["a.b"])
        assert "connectedAtMs" not in row


async def test_a_node_tells_that_it_is_alive() -> None:
    async with house() as home:
        client = await operator(home)
        _, other = await approved(home, client, "a.b")
        params, answer = recorded("node.event")
        assert (await other.call("node.event", params))["payload"] == answer
        strange = (await other.call("node.event", {"event": "x"}))["payload"]
        assert strange == {"ok": True, "event": "x", "handled": False, "reason": "unsupported"}
        assert (await client.call("node.event", params))["error"]["message"] == (
            "unauthorized role: operator"
        )


async def test_an_answer_for_another_node_is_refused() -> None:
    async with house() as home:
        other = await node(home, Key())
        result = {"id": "1", "nodeId": "somebody", "ok": True}
        answer = await other.call("node.invoke.result", result)
        assert answer["error"]["message"] == "nodeId mismatch"


async def test_a_node_must_be_a_device() -> None:
    async with house() as home:
        client = await RawClient.open(home.url)
        home.opened.append(client)
        answer = await client.call("connect", connect_params(TOKEN, role="node"))
        assert answer["error"]["code"] == "NOT_PAIRED"


async def test_the_newest_connection_of_a_node_counts() -> None:
    async with house() as home:
        key = Key()
        first = await node(home, key, "a.b")
        await node(home, key, "a.b")
        assert await first.closed() == (4001, "client invalidated: node connected anew")
        assert len(home.gateway.nodes.connected) == 1


async def test_asking_and_verifying_belong_to_protocol_3() -> None:
    async with house() as home:
        old = await paired(home, Key(), 3, scopes=["operator.admin"])
        for created in (True, False):
            answer = (await old.call("node.pair.request", {"nodeId": "n-1"}))["payload"]
            assert (answer["status"], answer["created"]) == ("pending", created)
            assert answer["request"]["nodeId"] == "n-1"
        verify = {"nodeId": "n-1", "token": "t"}
        assert (await old.call("node.pair.verify", verify))["payload"] == {"ok": False}
        answer = await (await operator(home)).call("node.pair.verify", verify)
        assert answer["error"]["message"] == "unknown method: node.pair.verify"

"""``node.*``: commands to nodes and their answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.devices import Key, node, paired
from tests.support.gateway_rig import gateway_rig
from tests.support.nodes import approved, operator, recorded
from tests.support.until import until


@pytest.mark.parametrize("form", ["payload", "payloadJSON"])
async def test_a_command_goes_to_the_node_and_its_answer_back(form: str) -> None:
    async with gateway_rig() as rig:
        client = await operator(rig)
        key, other = await approved(rig, client, "test.echo")
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
    async with gateway_rig() as rig:
        rig.answers["channels.note"] = {"ok": True}  # the job of the approval ends
        key, other = await approved(rig, await operator(rig), "test.echo")
        params = recorded("node.invoke")[0] | {"nodeId": key.id, "timeoutMs": 5000}
        client = await rig.client()
        asked = [asyncio.create_task(client.call("node.invoke", params)) for _ in range(2)]
        request = (await other.event("node.invoke.request"))["payload"]
        await until(lambda: len(rig.parts.jobs) == 2)
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
        assert len(rig.parts.nodes.invoked) == 1, "a large answer is not remembered"


async def test_another_command_under_the_same_key_is_not_given_the_old_answer() -> None:
    """A key that is used again by mistake must not make one thing look like another."""
    async with gateway_rig() as rig:
        client = await operator(rig)
        key, other = await approved(rig, client, "light.on", "light.off")
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
    async with gateway_rig() as rig:
        client = await operator(rig)
        key, other = await approved(rig, client, "canvas.present")
        params = recorded("node.invoke", 1)[0] | {"nodeId": key.id, "timeoutMs": 30}
        error = (await client.call("node.invoke", params))["error"]
        assert error == recorded("node.invoke", 1)[1]
        request = (await other.event("node.invoke.request"))["payload"]
        cancel = (await other.event("node.invoke.cancel"))["payload"]
        assert cancel == {"invokeId": request["id"], "nodeId": key.id}


async def test_a_node_that_fails_or_leaves() -> None:
    async with gateway_rig() as rig:
        client = await operator(rig)
        key, other = await approved(rig, client, "a.b")
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
    async with gateway_rig(nodes=config) as rig:
        client = await operator(rig)
        key, _ = await approved(rig, client, *offered)
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
    async with gateway_rig() as rig:
        client, key = await operator(rig), Key()
        await node(rig, key, "a.b")
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
    async with gateway_rig() as rig:
        client, key = await operator(rig), Key()
        # Without a device Protocol 3 leaves no scopes: the operator of 3 is a device.
        scopes = ["operator.write", "operator.read"]
        caller = await paired(rig, key, 3, scopes=scopes) if protocol == 3 else client
        params = {"nodeId": "nope", "command": "a.b", "idempotencyKey": "k"}
        answer = (await caller.call("node.invoke", params))["error"]
        assert (answer["code"], answer["details"]) == ("UNAVAILABLE", error)
        assert answer.get("retryable") is (True if protocol == 4 else None)
        unknown = (await caller.call("node.describe", {"nodeId": "nope"}))["error"]
        assert unknown == {"code": "INVALID_REQUEST", "message": "unknown nodeId"}


async def test_a_node_tells_that_it_is_alive() -> None:
    async with gateway_rig() as rig:
        client = await operator(rig)
        _, other = await approved(rig, client, "a.b")
        params, answer = recorded("node.event")
        assert (await other.call("node.event", params))["payload"] == answer
        strange = (await other.call("node.event", {"event": "x"}))["payload"]
        assert strange == {"ok": True, "event": "x", "handled": False, "reason": "unsupported"}
        assert (await client.call("node.event", params))["error"]["message"] == (
            "unauthorized role: operator"
        )


async def test_an_answer_for_another_node_is_refused() -> None:
    async with gateway_rig() as rig:
        other = await node(rig, Key())
        result = {"id": "1", "nodeId": "somebody", "ok": True}
        answer = await other.call("node.invoke.result", result)
        assert answer["error"]["message"] == "nodeId mismatch"

"""Nodes that an operator has approved, and the recorded calls of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.devices import Key, node
from tests.support.gateway_rig import GatewayRig
from tests.support.handshakes import greeted
from tests.support.rawclient import RawClient

PLACE = Path(__file__).parents[1] / "golden/node_invoke.jsonl"


GOLDEN = [json.loads(line) for line in PLACE.read_text().splitlines()]


def recorded(method: str, nth: int = 0) -> tuple[Any, Any]:
    """Return the params and the answer of a recorded call."""
    asked = [each["frame"] for each in GOLDEN if each["frame"].get("method") == method][nth]
    answers = [each["frame"] for each in GOLDEN if each["frame"].get("type") == "res"]
    answer = next(each for each in answers if each["id"] == asked["id"])
    return asked["params"], answer.get("payload", answer.get("error"))


async def operator(rig: GatewayRig, protocol: int = 4, **more: Any) -> RawClient:
    """Return a client with all scopes, including pairing."""
    scopes = ["operator.admin", "operator.pairing", "operator.read", "operator.write"]
    return await greeted(rig, protocol, **({"scopes": scopes} | more))


async def approved(rig: GatewayRig, client: RawClient, *commands: str) -> tuple[Key, RawClient]:
    """Return a node whose commands the operator has approved."""
    key = Key()
    found = await node(rig, key, *commands)
    pending = (await client.call("node.pair.list"))["payload"]["pending"]
    (request,) = [each["requestId"] for each in pending if each["nodeId"] == key.id]
    assert (await client.call("node.pair.approve", {"requestId": request}))["ok"]
    return key, found

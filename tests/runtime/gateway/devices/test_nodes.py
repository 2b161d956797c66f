"""Nodes over real sockets: the recorded exchange of an operator and a node, and what may fail."""

from __future__ import annotations

from pathlib import Path

from tests.support.devices import Key, node
from tests.support.gateway_rig import TOKEN, gateway_rig
from tests.support.handshakes import challenged
from tests.support.nodes import approved, operator
from tests.support.rawclient import connect_params


async def test_approvals_outlive_the_gateway(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        client = await operator(rig)
        key, _ = await approved(rig, client, "a.b")
    async with gateway_rig(state_dir=tmp_path) as rig:
        client = await operator(rig)
        (row,) = (await client.call("node.list"))["payload"]["nodes"]
        assert (row["nodeId"], row["connected"], row["commands"]) == (key.id, False, ["a.b"])
        assert "connectedAtMs" not in row


async def test_a_node_must_be_a_device() -> None:
    async with gateway_rig() as rig:
        client = await challenged(rig)
        answer = await client.call("connect", connect_params(TOKEN, role="node"))
        assert answer["error"]["code"] == "NOT_PAIRED"


async def test_the_newest_connection_of_a_node_counts() -> None:
    async with gateway_rig() as rig:
        key = Key()
        first = await node(rig, key, "a.b")
        await node(rig, key, "a.b")
        assert await first.closed() == (4001, "client invalidated: node connected anew")
        assert len(rig.parts.nodes.connected) == 1

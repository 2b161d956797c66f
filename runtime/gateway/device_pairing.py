"""Announces pairings of devices and nodes to clients, and closes connections that lost theirs."""

from __future__ import annotations

import asyncio

from ipc.epoch import now_ms
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.access.scopes import PAIRING
from runtime.gateway.devices.devices import PairRequest
from runtime.gateway.devices.nodes import NodeRequest
from runtime.gateway.hub import Hub
from runtime.gateway.parts import GatewayParts

INVALIDATED = 4001  # close code: the connection's permission has ended
DEVICE_DIGITS = 8


def device_named(device: str) -> str:
    """Return the description of a device, or a node, for the history."""
    return f"device {device[:DEVICE_DIGITS]}"


def announce_device_request(hub: Hub, request: PairRequest) -> None:
    """Announce to operators that a device waits for approval."""
    hub.broadcast("device.pair.requested", request, scope=PAIRING)


def announce_device_decision(hub: Hub, request: str, device: str, decision: str) -> None:
    """Announce to operators what was decided about a device."""
    payload = {"requestId": request, "deviceId": device, "decision": decision, "ts": now_ms()}
    hub.broadcast("device.pair.resolved", payload, scope=PAIRING)


def announce_node_request(hub: Hub, request: NodeRequest) -> None:
    """Announce to operators that a node's commands wait for approval."""
    hub.broadcast("node.pair.requested", request, scope=PAIRING)


def announce_node_decision(parts: GatewayParts, request: str, node: str, decision: str) -> None:
    """Announce to operators, and to the node itself, what was decided about it."""
    payload = {"requestId": request, "nodeId": node, "decision": decision, "ts": now_ms()}
    parts.hub.broadcast("node.pair.resolved", payload, scope=PAIRING)
    connected = parts.nodes.connected.get(node)
    if connected is not None:
        connected.send_unnumbered("node.pair.resolved", payload)


def invalidate(hub: Hub, device: str, why: str, role: str | None = None) -> None:
    """Close the connections of a device, after the answers that are queued for them."""
    call_soon = asyncio.get_running_loop().call_soon
    for client in hub.clients:
        if client.device == device and role in (None, client.role):
            call_soon(client.connection.close, INVALIDATED, f"client invalidated: {why}")


def on_node_connected(parts: GatewayParts, client: ClientView) -> None:
    """Add a node that has connected, and announce its request."""
    request, older = parts.nodes.on_connect(client, now_ms())
    if older is not None:
        older.connection.close(INVALIDATED, "client invalidated: node connected anew")
    if request is not None:
        announce_node_request(parts.hub, request)

"""What clients are told about pairings, and the end of connections whose pairing has ended."""

from __future__ import annotations

import time

from runtime.gateway.access.listener import Listener
from runtime.gateway.access.scopes import PAIRING
from runtime.gateway.devices.devices import PairRequest
from runtime.gateway.devices.nodes import NodeRequest
from runtime.gateway.hub import Hub

INVALIDATED = 4001  # the connection's permission has ended


def tell_requested(hub: Hub, request: PairRequest) -> None:
    """Tell operators that a device waits for them."""
    hub.broadcast("device.pair.requested", request, scope=PAIRING)


def tell_resolved(hub: Hub, request: str, device: str, decision: str) -> None:
    """Tell operators what became of a device."""
    payload = {"requestId": request, "deviceId": device, "decision": decision, "ts": now_ms()}
    hub.broadcast("device.pair.resolved", payload, scope=PAIRING)


def tell_node_requested(hub: Hub, request: NodeRequest) -> None:
    """Tell operators that a node's commands wait for them."""
    hub.broadcast("node.pair.requested", request, scope=PAIRING)


def tell_node_resolved(hub: Hub, request: str, node: str, decision: str) -> None:
    """Tell operators, and the node itself, what became of it."""
    payload = {"requestId": request, "nodeId": node, "decision": decision, "ts": now_ms()}
    hub.broadcast("node.pair.resolved", payload, scope=PAIRING)
    connected = hub.nodes.connected.get(node)
    if connected is not None:
        connected.tell_alone("node.pair.resolved", payload)


def invalidate(hub: Hub, device: str, why: str, role: str | None = None) -> None:
    """Close the connections of a device, after the answers that are on their way."""
    for client in hub.clients:
        if client.device == device and role in (None, client.role):
            hub.loop.call_soon(client.connection.close, INVALIDATED, f"client invalidated: {why}")


def enter_node(hub: Hub, client: Listener) -> None:
    """Enter a node that has connected, and announce what it asks for."""
    request, older = hub.nodes.enter(client, now_ms())
    if older is not None:
        older.connection.close(INVALIDATED, "client invalidated: node connected anew")
    if request is not None:
        tell_node_requested(hub, request)


def now_ms() -> int:
    """Return the time as frames have it."""
    return int(time.time() * 1000)

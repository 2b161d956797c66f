"""What clients are told about pairings, and the end of connections whose pairing has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runtime.gateway.access.scopes import PAIRING

if TYPE_CHECKING:
    from runtime.gateway.devices.devices import PairRequest
    from runtime.gateway.devices.nodes import NodeRequest
    from runtime.gateway.gateway import Gateway

INVALIDATED = 4001  # the connection's permission has ended


def tell_requested(gateway: Gateway, request: PairRequest) -> None:
    """Tell operators that a device waits for them."""
    gateway.broadcast("device.pair.requested", request, scope=PAIRING)


def tell_resolved(gateway: Gateway, request: str, device: str, decision: str) -> None:
    """Tell operators what became of a device."""
    payload = {"requestId": request, "deviceId": device, "decision": decision, "ts": now_ms()}
    gateway.broadcast("device.pair.resolved", payload, scope=PAIRING)


def tell_node_requested(gateway: Gateway, request: NodeRequest) -> None:
    """Tell operators that a node's commands wait for them."""
    gateway.broadcast("node.pair.requested", request, scope=PAIRING)


def tell_node_resolved(gateway: Gateway, request: str, node: str, decision: str) -> None:
    """Tell operators, and the node itself, what became of it."""
    payload = {"requestId": request, "nodeId": node, "decision": decision, "ts": now_ms()}
    gateway.broadcast("node.pair.resolved", payload, scope=PAIRING)
    if node in gateway.nodes.connected:
        gateway.nodes.connected[node].tell_alone("node.pair.resolved", payload)


def invalidate(gateway: Gateway, device: str, why: str, role: str | None = None) -> None:
    """Close the connections of a device, after the answers that are on their way."""
    for client in list(gateway.clients):
        if client.device == device and role in (None, client.role):
            gateway.loop.call_soon(
                client.connection.close, INVALIDATED, f"client invalidated: {why}"
            )


def now_ms() -> int:
    """Return the time as frames have it."""
    return int(time.time() * 1000)

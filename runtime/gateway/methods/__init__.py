"""Fills the table of methods: importing this package imports every family of them."""

from runtime.gateway.methods import (
    agents,
    channels,
    config,
    devices,
    events,
    gateway,
    health,
    logs,
    message,
    node_pairs,
    nodes,
    presence,
    restart,
    send,
    supervised,
    supervisor,
)

__all__ = [
    "agents",
    "channels",
    "config",
    "devices",
    "events",
    "gateway",
    "health",
    "logs",
    "message",
    "node_pairs",
    "nodes",
    "presence",
    "restart",
    "send",
    "supervised",
    "supervisor",
]

"""Fills the table of methods: importing this package imports every family of them."""

from runtime.gateway.methods import (
    channels,
    config,
    deadletters,
    devices,
    events,
    login,
    media,
    message,
    node_pairs,
    nodes,
    people,
    presence,
    send,
    status,
    supervised,
    supervisor,
)

__all__ = [
    "channels",
    "config",
    "deadletters",
    "devices",
    "events",
    "login",
    "media",
    "message",
    "node_pairs",
    "nodes",
    "people",
    "presence",
    "send",
    "status",
    "supervised",
    "supervisor",
]

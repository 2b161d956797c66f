"""Provides the public clients of a gateway: one session, or one after another over restarts.

On another host than the gateway's a client is a device, which an operator approves once: it needs
an ``Identity``.

    async with ReconnectingClient("ws://127.0.0.1:18789", token="…") as client:
        print(await client.call("health"))

These names stay where they are (docs/protocol.md, Clients); their errors are in ``ipc.errors``.
"""

from __future__ import annotations

from ipc.identity.device import Identity
from ipc.websocket.client import Client
from ipc.websocket.reconnecting import ReconnectingClient, Subscription

__all__ = ["Client", "Identity", "ReconnectingClient", "Subscription"]

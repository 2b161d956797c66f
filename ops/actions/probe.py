"""``gateway probe``: the questions that a client asks first, all at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ipc.errors import IpcError
from ops.connect import supervisor as clients

if TYPE_CHECKING:
    from ipc.websocket.reconnecting import ReconnectingClient
    from ops.connect.address import Gateway

QUESTIONS = ("health", "status", "system-presence", "config.get")


async def show_probe(target: Gateway, timeout: float) -> dict[str, Any]:
    """Return for each question whether it was answered, and how long that took in ms."""
    async with clients.gateway(target, timeout=timeout) as client:
        parts = await asyncio.gather(*(_ask(client, name, timeout) for name in QUESTIONS))
        server = client.hello.get("server") or {}
    found = dict(zip(QUESTIONS, parts, strict=True))
    return {
        "ok": found["health"]["ok"],
        "version": server.get("version"),
        "protocol": client.protocol,
        "parts": found,
    }


async def _ask(client: ReconnectingClient, method: str, timeout: float) -> dict[str, Any]:
    began = time.monotonic()
    try:
        await client.call(method, {}, timeout=timeout)
        found: dict[str, Any] = {"ok": True}
    except IpcError as error:
        found = {"ok": False, "error": str(error)}
    return found | {"ms": round((time.monotonic() - began) * 1000, 1)}

"""A killed gateway: the slot of a connection has what it received and sent."""

from __future__ import annotations

import asyncio
import json
import socket

from ipc.frames.websocket import event, response
from ipc.websocket.sending import frame
from tests.support.echo_server import UPGRADE
from tests.support.young_client import YoungClient
from tests.support.young_slots import SlotsRig

HEAD = UPGRADE.replace(b"Host: x", b"Host: localhost")
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
NONCE, CONNECTION = "nonce-1", "connection-1"
CHALLENGE = frame(event("connect.challenge", {"nonce": NONCE, "ts": 1}))
HELLO = frame(response("c", {"type": "hello-ok", "server": {"connId": CONNECTION}}))
HEALTH = frame(event("health", {}, 1))


def refused(id: str) -> bytes:
    """Return an answer that is an error, as a frame."""
    error = {"code": "UNAVAILABLE", "message": "gateway starting"}
    return frame(json.dumps({"type": "res", "id": id, "ok": False, "error": error}).encode())


async def leave(rig: SlotsRig, received: bytes, sent: bytes, kept_back: int = 0) -> YoungClient:
    """Leave a connection with these ``received`` and ``sent`` bytes; return its client.

    The last ``kept_back`` bytes were noted, and had not left when the process was killed.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with server:
        client.sendall(received)
        left = len(received)
        while left:
            left -= len(server.recv(left))
        server.sendall(sent[: len(sent) - kept_back])
        slot = rig.inherit().reserve(server.fileno())
        assert slot is not None
        assert slot.record_received(received)
        assert slot.record_sent(sent)
    reader, writer = await asyncio.open_connection(sock=client)
    opened = YoungClient(reader, writer)
    if len(sent) - kept_back >= len(SWITCHED):
        assert await opened.head() == SWITCHED
    return opened

"""What waits for a client that has gone is told so, at once or when it goes."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ipc.websocket.http_socket import HttpSocket
from ipc.websocket.unread import UnreadOutput
from runtime.gateway.http.lost_clients import when_lost


class Connection(asyncio.Transport):
    """A transport whose protocol is a socket that speaks HTTP."""

    def __init__(self) -> None:
        super().__init__()
        ignore, unread = asyncio.Protocol(), UnreadOutput(1000, lambda: 0.0)
        self.socket = HttpSocket(ignore, lambda socket: None, lambda socket: None, unread)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.socket


class Request:
    def __init__(self, transport: Connection | None) -> None:
        self.transport = transport


def lost_by(request: Request, connection: Connection | None) -> list[str]:
    """Return what was called inside and after the block."""
    calls: list[str] = []
    made: web.BaseRequest = request  # type: ignore[assignment]
    with when_lost(made, lambda: calls.append("lost")):
        if connection is not None:
            connection.socket.connection_lost(None)
    calls.append("after")
    if connection is not None:
        connection.socket.connection_lost(None)
    return calls


async def test_the_end_is_noted_while_the_request_is_answered_and_no_later() -> None:
    connection = Connection()
    assert lost_by(Request(connection), connection) == ["lost", "after"]
    assert lost_by(Request(Connection()), None) == ["after"]


async def test_a_client_that_had_gone_before_is_noted_at_once() -> None:
    assert lost_by(Request(None), None) == ["lost", "after"]

"""A WebSocket server that echoes, and clients of it, with and without a library."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from ipc.websocket.connection import Connection
from ipc.websocket.demux import Limits
from ipc.websocket.http_socket import HttpSocket
from ipc.websocket.server import Server
from tests.support.until import PATIENCE, until

uvloop.new_event_loop().close()  # libuv opens a pipe for the whole process once: not a leak


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class EchoServer:
    """An application that answers every message with itself; text ``admit`` admits."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.closed: list[int | None] = []
        self.received: list[bytes] = []
        self.server: Server
        self.port = 0
        self.path: Path

    def on_connect(self, connection: Connection) -> None:
        self.connections.append(connection)

    def on_text(self, connection: Connection, data: bytes) -> None:
        self.received.append(data)
        if data == b"admit":
            connection.admit(1 << 20)
        if data == b"fault":
            raise ValueError("a fault of the application")
        connection.send(data)

    def on_close(self, connection: Connection) -> None:
        self.closed.append(connection.close_code)

    async def start(self, listen: socket.socket | Path, limits: Limits, **more: object) -> None:
        self.server = await Server.start(
            listen,
            on_connect=self.on_connect,
            on_text=self.on_text,
            on_close=self.on_close,
            limits=limits,
            **more,  # type: ignore[arg-type]
        )


@contextlib.asynccontextmanager
async def echo(
    host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, **limits: float
) -> AsyncIterator[EchoServer]:
    made = EchoServer()
    listener = socket.create_server((host, 0))
    made.port = listener.getsockname()[1]

    async def page(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        socket = request.transport.get_protocol()
        assert isinstance(socket, HttpSocket)
        with socket.answering():  # as the gateway does
            return web.Response(text=request.path)

    pages = web.Server(page)
    await made.start(listener, Limits(**limits), http=pages, tls=tls)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.server.close()
        await pages.shutdown(0.1)


@contextlib.asynccontextmanager
async def client(made: EchoServer) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{made.port}"
    async with connect(url, compression=None, ping_interval=None, max_size=None) as opened:
        yield opened


@contextlib.asynccontextmanager
async def plain(
    made: EchoServer,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection without a WebSocket library: every byte is the test's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def upgraded() -> AsyncIterator[
    tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]
]:
    """Both ends of an open connection: the server's, and every byte of the client's."""
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(made.connections))
        yield made.connections[0], reader, writer


def text_frame(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


async def ended(opened: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await opened.recv()
    return opened.close_code, opened.close_reason

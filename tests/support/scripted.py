"""A WebSocket server that follows a script of the test for each connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve, unix_serve
from websockets.exceptions import ConnectionClosed

HELLO = {"type": "hello-ok", "protocol": 4, "server": {"version": "1"}}
CHALLENGE = {"type": "event", "event": "connect.challenge", "payload": {"nonce": "n", "ts": 1}}
Script = Callable[["Side"], Awaitable[None]]


class Side:
    """The server's side of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    async def say(self, **frame: Any) -> None:
        await self.connection.send(msgspec.json.encode(frame).decode())

    async def raw(self, data: str | bytes) -> None:
        await self.connection.send(data)

    async def request(self) -> dict[str, Any]:
        text = await self.connection.recv()
        assert isinstance(text, str), "requests are text"
        request: dict[str, Any] = msgspec.json.decode(text)
        return request

    async def welcome(self, hello: Any = HELLO) -> dict[str, Any]:
        """Do the handshake and return the params of ``connect``."""
        await self.say(**CHALLENGE)
        request = await self.request()
        await self.say(type="res", id=request["id"], ok=True, payload=hello)
        params: dict[str, Any] = request["params"]
        return params

    async def refuse(self, error: dict[str, Any], code: int, reason: str) -> None:
        await self.say(**CHALLENGE)
        request = await self.request()
        await self.say(type="res", id=request["id"], ok=False, error=error)
        await self.connection.close(code, reason)

    async def answer(self, payload: Any = None, **other: Any) -> dict[str, Any]:
        request = await self.request()
        frame = {"type": "res", "id": request["id"], "ok": True, "payload": payload} | other
        await self.say(**frame)
        return request

    def abort(self) -> None:
        self.connection.transport.abort()


class ScriptedServer:
    """Runs one script per connection; the last one for all further ones."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.connections = 0
        self.faults: list[BaseException] = []
        self.url = ""

    async def serve(self, connection: ServerConnection) -> None:
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        try:
            await script(Side(connection))
            await connection.wait_closed()
        except ConnectionClosed:
            pass
        except AssertionError as error:
            self.faults.append(error)
            raise


@asynccontextmanager
async def scripted(
    *scripts: Script, path: Path | None = None, port: int = 0, **options: Any
) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(*scripts)
    started = (
        unix_serve(server.serve, str(path), **options)
        if path
        else serve(server.serve, "127.0.0.1", port, **options)
    )
    async with started as library:
        if path is None:
            server.url = f"ws://127.0.0.1:{next(iter(library.sockets)).getsockname()[1]}"
        yield server
    assert server.faults == []


async def welcoming(side: Side) -> None:
    await side.welcome()

"""A client that sends single bytes, so that the gateway can be killed between any two."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from tests.support.echo_server import UPGRADE, text_frame
from tests.support.rawclient import connect_params
from tests.support.until import PATIENCE


def request(id: str, method: str, params: Any = None) -> bytes:
    """Return a request as the frame of a client."""
    said = {"type": "req", "id": id, "method": method}
    return text_frame(json.dumps(said if params is None else said | {"params": params}).encode())


class YoungClient:
    """One connection; ``frames`` are the received ones."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.frames: list[dict[str, Any]] = []

    @classmethod
    async def open(cls, port: int) -> YoungClient:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self) -> bytes:
        """Return the head of the answer to the upgrade."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def next(self) -> dict[str, Any]:
        """Return the next message; raises ``IncompleteReadError`` at the end of the socket."""
        async with asyncio.timeout(PATIENCE):
            first, length = await self._reader.readexactly(2)
            assert first == 0x81, f"a frame of another kind: {first:#x}"
            if length > 125:
                more = await self._reader.readexactly(2 if length == 126 else 8)
                length = int.from_bytes(more, "big")
            self.frames.append(json.loads(await self._reader.readexactly(length)))
        return self.frames[-1]

    async def answer(self, id: str) -> dict[str, Any]:
        """Return the answer to a request; earlier frames are dropped."""
        while (frame := await self.next()).get("id") != id:
            pass
        return frame

    async def upgrade(self) -> dict[str, Any]:
        """Upgrade to a WebSocket; return the challenge."""
        await self.send(UPGRADE.replace(b"Host: x", b"Host: localhost"))
        assert (await self.head()).startswith(b"HTTP/1.1 101 ")
        return await self.next()

    async def hello(self, token: str, **more: Any) -> dict[str, Any]:
        """Do the whole handshake; return the answer to ``connect``."""
        await self.upgrade()
        await self.send(request("c", "connect", connect_params(token, **more)))
        return await self.answer("c")

    async def ended(self) -> bytes:
        """Return everything received until the end of the socket."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):  # it was cut
            await self._writer.wait_closed()

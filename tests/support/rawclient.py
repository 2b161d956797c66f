"""A WebSocket client without the protocol: it sends exactly what it is given."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.until import PATIENCE

SCOPES = ["operator.admin", "operator.read", "operator.write"]


def connect_params(token: str | None, protocol: int = 4, **more: Any) -> dict[str, Any]:
    """Return valid params of ``connect``; ``more`` replaces or adds."""
    params: dict[str, Any] = {
        "minProtocol": protocol,
        "maxProtocol": protocol,
        "client": {
            "id": "gateway-client",
            "version": "0.0.1",
            "platform": "linux",
            "mode": "backend",
        },
        "caps": [],
        "role": "operator",
        "scopes": SCOPES,
    }
    if token is not None:
        params["auth"] = {"token": token}
    return params | more


class RawClient:
    """One connection. Every wait ends after five seconds."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.challenge: Any = None
        self.auth: dict[str, Any] = {}  # what the hello brought, where a test asked for it

    @classmethod
    async def open(cls, url: str, **more: Any) -> Self:
        self = cls(await connect(url, compression=None, ping_interval=None, max_size=None, **more))
        self.challenge = await self.next()
        return self

    async def send(self, frame: Any) -> None:
        """Send bytes and text as they are, anything else as JSON."""
        await self.socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.socket.recv())

    async def event(self, name: str) -> Any:
        """Return the next event of that name; earlier ones are dropped."""
        while (frame := await self.next()).get("event") != name:
            pass
        return frame

    async def response(self) -> Any:
        """Return the next response; events before it are dropped."""
        while (frame := await self.next())["type"] != "res":
            pass
        return frame

    async def call(self, method: str, params: Any = None, id: Any = "1") -> Any:
        frame = {"type": "req", "id": id, "method": method}
        await self.send(frame if params is None else frame | {"params": params})
        return await self.response()

    async def hello(self, token: str, protocol: int = 4, **more: Any) -> Any:
        answer = await self.call("connect", connect_params(token, protocol, **more))
        assert answer["ok"], answer
        return answer["payload"]

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end; return its code and reason. Other frames are dropped."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed:
                return self.socket.close_code, self.socket.close_reason

    def close(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.socket.close())

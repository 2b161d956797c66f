"""Writes server-sent events to a client that may read slowly.

Text that the client has not read is joined. Where that is too much, the connection ends and the run
goes on: nothing waits for one client.
"""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from ipc import timeouts

MAX_WAITING = 256 * 1024  # characters of text that a client has not taken yet
SEND_BYTES = 128 * 1024  # that the kernel may hold for a client that does not read
KEEP_ALIVE_SECONDS = 15.0  # without an event, until a comment shows that the stream lives
KEEP_ALIVE = b": keep-alive\n\n"
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "X-Accel-Buffering": "no",  # a proxy would keep what should be seen at once
}


class EventWriter:
    """One stream of events, which is the answer ``response``.

    ``stuck``: a write waits for the client to read. ``slow``: it has not for too long, and its
    connection was ended.
    """

    def __init__(self, request: web.BaseRequest) -> None:
        self.slow = self.stuck = False
        self._request = request
        self._waiting: list[str] = []
        self._size = 0
        self._wake = asyncio.Event()
        self._closed = self._lost = False
        self.response = web.StreamResponse(headers=HEADERS)

    async def begin(self, data: bytes) -> None:
        """Send the head of the answer and its first events."""
        transport = self._request.transport
        sock = None if transport is None else transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        await self.response.prepare(self._request)
        await self.write(data)

    def add(self, text: str) -> None:
        """Have text sent; a client that is too far behind loses its connection."""
        if self.slow or not text:
            return
        self._waiting.append(text)
        self._size += len(text)
        self._wake.set()
        if self._size > MAX_WAITING:
            self.slow = True
            self._waiting.clear()
            if self._request.transport is not None:
                self._request.transport.abort()

    def lose(self) -> None:
        """Note that the connection has ended."""
        self._lost = True
        self._wake.set()

    def close(self) -> None:
        """Note that no text follows."""
        self._closed = True
        self._wake.set()

    async def next(self) -> str | None:
        """Return the text that waits, once there is some; ``None`` when no more comes.

        Raises ``ConnectionError``.
        """
        while not self._wake.is_set():
            try:
                async with timeouts.timeout(KEEP_ALIVE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                await self.write(KEEP_ALIVE)
        self._require_connection()
        if not self._closed:
            self._wake.clear()
        text = "".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        return None if self._closed and not text else text

    async def write(self, data: bytes) -> None:
        """Send events; waits for a client that does not read. Raises ``ConnectionError``."""
        self.stuck = True
        try:
            await self.response.write(data)
        finally:
            self.stuck = False
        self._require_connection()

    async def end(self) -> None:
        """End the stream. Raises ``ConnectionError``."""
        await self.response.write_eof()

    def _require_connection(self) -> None:
        if self._lost:
            raise ConnectionResetError("the client has gone")

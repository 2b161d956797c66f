"""Writes server-sent events to a client that may read slowly.

Text that the client has not read is joined, and counted in what all clients have not read. Where
that is too much, the connection ends and the run goes on: nothing waits for one client.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque

from aiohttp import web

from ipc import timeouts
from runtime.gateway.http.lost_clients import socket_of

MAX_WAITING = 256 * 1024  # characters of text that a client has not taken yet
PIECE = 16 * 1024  # characters in an event: what is being written is in memory several times
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

    ``stuck``: a write waits for the client to read.
    """

    def __init__(self, request: web.BaseRequest) -> None:
        self.stuck = self._cut = False
        self._request = request
        self._socket = socket_of(request)
        self._waiting: deque[str] = deque()
        self._whole, self._at = "", 0  # the text once all of it was added, and where the rest is
        self._length = self._bytes = 0
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
        """Queue text for sending; a client that is too far behind is disconnected."""
        if self.slow or not text:
            return
        self._waiting.append(text)
        self._length += len(text)
        self._hold(self._bytes + sys.getsizeof(text))
        self._wake.set()
        if self._length > MAX_WAITING:
            self._cut_off()

    def complete(self, text: str) -> None:
        """Hold the waiting end of ``text``, all of which was added, as a part of it.

        The text is in memory as long as this anyway; what waits would be there a second time.
        """
        if self._waiting:
            self._waiting.clear()
            self._whole, self._at = text, len(text) - self._length
            self._hold(self._size_of_rest())

    @property
    def slow(self) -> bool:
        """True once the client has not read for too long, and its connection was ended."""
        return self._cut or (self._socket is not None and self._socket.was_cut)

    def _cut_off(self) -> None:
        """End the connection of a client that does not read, and hold nothing for it."""
        self._cut = True
        self.drop()
        if self._socket is not None:
            self._socket.cut_off()

    def drop(self) -> None:
        """Drop all waiting text."""
        self._waiting.clear()
        self._whole, self._at, self._length = "", 0, 0
        self._hold(0)

    def mark_lost(self) -> None:
        """Mark the connection as ended, so that waiting writers stop."""
        self._lost = True
        self._wake.set()

    def close(self) -> None:
        """Mark the end of the text."""
        self._closed = True
        self._wake.set()

    async def next(self) -> str | None:
        """Wait for text and return a piece of it; ``None`` at the end.

        Raises ``ConnectionError``.
        """
        while not self._wake.is_set():
            try:
                async with timeouts.timeout(KEEP_ALIVE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                await self.write(KEEP_ALIVE)
        self._require_connection()
        text = self._piece()
        if not self._closed and not self._length:
            self._wake.clear()
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

    def _piece(self) -> str:
        """Remove and return the next waiting text, at most one event's worth."""
        if self._whole:
            return self._piece_of_whole()
        taken, length = [], 0
        while self._waiting and length < PIECE:
            text = self._waiting.popleft()
            self._bytes -= sys.getsizeof(text)
            if length + len(text) > PIECE:
                rest = text[PIECE - length :]
                self._waiting.appendleft(rest)
                self._bytes += sys.getsizeof(rest)
                text = text[: PIECE - length]
            taken.append(text)
            length += len(text)
        self._length -= length
        self._hold(self._bytes)
        return "".join(taken)

    def _piece_of_whole(self) -> str:
        piece = self._whole[self._at : self._at + PIECE]
        self._at += len(piece)
        self._length -= len(piece)
        self._hold(self._size_of_rest())
        if not self._length:
            self._whole, self._at = "", 0
        return piece

    def _size_of_rest(self) -> int:
        return sys.getsizeof(self._whole) * self._length // len(self._whole)

    def _hold(self, size: int) -> None:
        self._bytes = size
        if self._socket is not None:
            self._socket.hold(size)

    def _require_connection(self) -> None:
        if self._lost:
            raise ConnectionResetError("the client has gone")

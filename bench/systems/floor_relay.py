"""The floor's gateway: what comes in on a unix stream goes out to every TCP client. No logic.

    python -m bench.systems.floor_relay SOCKET bytes|frames

``bytes``: one write per read, nothing is looked at. With several sources the pieces of their
messages are mixed, so its clients can only count bytes. ``frames``: only whole messages are
passed on, without their length; that is the least that a real gateway must do.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import cast

import uvloop

SEND_BUFFER_BYTES = 256 * 1024  # as the product has it
_clients: set[asyncio.Transport] = set()
_sources: set[asyncio.Transport] = set()
_slow: set[asyncio.Protocol] = set()


class Client(asyncio.Protocol):
    """A client of the relay, which gets everything; while one is slow, nothing is read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        _clients.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        _clients.discard(self._transport)
        self.resume_writing()

    def pause_writing(self) -> None:
        """Let the sources wait."""
        _slow.add(self)
        for source in _sources:
            source.pause_reading()

    def resume_writing(self) -> None:
        """Let them go on when no client is slow."""
        _slow.discard(self)
        if not _slow:
            for source in _sources:
                source.resume_reading()


class Bytes(asyncio.Protocol):
    """A source whose bytes are passed on as they come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        _sources.add(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        for client in _clients:
            client.write(data)


class Frames(Bytes):
    """A source of which whole messages are passed on, joined in one write."""

    def __init__(self) -> None:
        self._tail = b""

    def data_received(self, data: bytes) -> None:
        """Pass on what is complete."""
        data = self._tail + data
        at, end, whole = 0, len(data), []
        while end - at >= 4:
            stop = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if stop > end:
                break
            whole.append(data[at + 4 : stop])
            at = stop
        self._tail = data[at:]
        joined = b"".join(whole)
        if joined:
            for client in _clients:
                client.write(joined)


async def _main(path: str, kind: str) -> None:
    loop = asyncio.get_running_loop()
    sources = await loop.create_unix_server(Bytes if kind == "bytes" else Frames, path)
    server = await loop.create_server(Client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.gather(sources.serve_forever(), server.serve_forever())


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:]))

"""A source of the floor: messages with their lengths into a unix stream, and nothing else.

python -m bench.systems.floor_source SOCKET NAME PACK
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

from bench.systems.sources import Orders, Payloads
from ipc.websocket.sending import frame


class FloorSource(asyncio.Protocol):
    """Writes ``pack`` messages at a time while the stream takes them."""

    def __init__(self, name: str, pack: int) -> None:
        self._voice, self._pack = Payloads(name), pack
        self._loop = asyncio.get_running_loop()
        self._paused = False
        self._timer: asyncio.Handle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for orders."""
        self._transport = cast(asyncio.Transport, transport)
        self._orders = Orders(self._emit)

    def connection_lost(self, exc: Exception | None) -> None:
        """Without the relay there is nothing to do."""
        self._loop.stop()

    def pause_writing(self) -> None:
        """Wait: the stream is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        self._emit()

    def _emit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        orders = self._orders
        left = orders.due() if orders.rate else 0
        while left > 0 and not self._paused:
            count = min(left, self._pack)
            self._transport.write(b"".join([self._one(orders.size) for _ in range(count)]))
            orders.emitted(count)
            left -= count
        if orders.rate and not self._paused:
            wait = orders.wait()
            later = self._loop.call_later
            self._timer = later(wait, self._emit) if wait else self._loop.call_soon(self._emit)

    def _one(self, size: int) -> bytes:
        framed = frame(
            b'{"type":"event","event":"channel.message","payload":%b}' % self._voice.payload(size)
        )
        return len(framed).to_bytes(4, "big") + framed


async def _main(path: str, name: str, pack: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_unix_connection(lambda: FloorSource(name, pack), path)
    print("ready", flush=True)
    await loop.create_future()


if __name__ == "__main__":
    try:
        uvloop.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    except RuntimeError:
        sys.exit(0)  # the loop was stopped: the relay or the orders are gone

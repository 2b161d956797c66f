"""A port that leads to a server on this host with the delay of a network, and can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
DELAY_SECONDS = 0.02  # of each direction, as a network has it: so there is much in flight
DYING_SECONDS = 0.1  # in which a server that dies carries out what came, and answers nothing
BACK_SECONDS = 0.2  # until it is there again


@dataclass(eq=False)
class Relayed:
    """One connection. ``deaf``: its data does not reach the server any more."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    deaf: bool = False

    def abort(self) -> None:
        """Cut both its ends."""
        self.client.transport.abort()
        self.server.transport.abort()


class Relay:
    """Forwards connections to a server; counts its ``cuts``, over which its ``port`` stays."""

    def __init__(self, to_port: int, chance: random.Random) -> None:
        self.cuts = 0
        self._to_port = to_port
        self._chance = chance
        self._open: set[Relayed] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._dying = False
        self._listening: asyncio.Server | None = None
        self._place: socket.socket | None = None
        self.port = 0

    async def listen(self) -> None:
        """Accept connections."""
        if self._place is None:
            # Bound and not listening, so that no other program gets the port between two servers.
            self._place = _bound(0)
            self.port = self._place.getsockname()[1]
        self._listening = await asyncio.start_server(self._serve, sock=_bound(self.port))

    async def cut(self) -> None:
        """Act like a crash of the server; return when it is back.

        For ``DYING_SECONDS`` it answers nothing. Of its connections some still bring it what is
        sent, and it carries that out; then all are reset, and new ones are refused for a while.
        """
        self.cuts += 1
        self._dying = True
        for each in self._open:
            each.deaf = self._chance.random() < 0.5
        await asyncio.sleep(DYING_SECONDS)
        self._refuse()
        await asyncio.sleep(BACK_SECONDS)
        self._dying = False
        await self.listen()

    async def close(self) -> None:
        """End all connections, and free the port."""
        self._refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._place is not None:
            self._place.close()

    def _refuse(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for each in list(self._open):
            each.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._relay(reader, writer)
        except OSError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, server = await asyncio.open_connection(HOST, self._to_port)
        connection = Relayed(writer, server)
        self._open.add(connection)
        up = asyncio.create_task(_pump(reader, server, lambda: connection.deaf))
        down = asyncio.create_task(_pump(from_server, writer, lambda: self._dying))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if up.done():  # a client that is killed: what it has sent is carried out, or is not
                await asyncio.sleep(self._chance.uniform(0, DELAY_SECONDS))
        finally:
            self._open.discard(connection)
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            writer.close()
            server.close()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, silent: Callable[[], bool]
) -> None:
    """Forward data after the delay; while it is ``silent``, nothing."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            await asyncio.sleep(DELAY_SECONDS)
            if not silent():
                writer.write(data)
                await writer.drain()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    return bound


@contextlib.asynccontextmanager
async def relay_to(port: int, chance: random.Random) -> AsyncIterator[Relay]:
    """Run a relay to a port while the block runs."""
    relay = Relay(port, chance)
    await relay.listen()
    try:
        yield relay
    finally:
        await relay.close()

"""Servers one after the other, as processes that are killed: each has the slots of the one before.

A server that is stopped reads nothing more; its own end of the socket stays open, which a client
cannot tell from a slot.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from ipc.websocket.connection import Connection
from ipc.websocket.demux import Limits
from tests.support.echo_server import EchoServer
from tests.support.until import PATIENCE, until
from tests.support.young_slots import SlotsRig


class Servers:
    """Servers on one port, each with the slots of the one before."""

    def __init__(self, rig: SlotsRig) -> None:
        self._rig = rig
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._made: list[EchoServer] = []
        self.taken: dict[str, int] = {}

    def stop(self) -> None:
        """Have the present server read nothing any more."""
        for made in self._made:
            made.server.stop_accepting()
            for connection in [*made.server.connections, *made.server.undecided]:
                if connection.young is None:
                    connection.abort()  # nothing keeps it
                else:
                    connection.young.pause_reading()

    async def next(self) -> EchoServer:
        """Stop the present server as a kill does, and start another one."""
        self.stop()
        made = EchoServer()
        self._made.append(made)
        slots = self._rig.inherit()
        await made.start(self._listener.dup(), Limits(), slots=slots)
        self.taken = await made.server.take_over()
        assert {word: n for word, n in made.server.taken_over.items() if n} == self.taken
        return made

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self._listener.getsockname())

    async def close(self) -> None:
        self._listener.close()
        for made in self._made:
            await made.server.close()


@contextlib.asynccontextmanager
async def servers(rig: SlotsRig) -> AsyncIterator[Servers]:
    made = Servers(rig)
    try:
        async with asyncio.timeout(PATIENCE):
            yield made
    finally:
        await made.close()


async def the_only(made: EchoServer) -> Connection:
    await until(lambda: bool(made.connections))
    (connection,) = made.connections
    return connection

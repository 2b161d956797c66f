"""A relay cuts connections as a crash of the server does."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.support.relay import HOST, Relay, relay_to
from tests.support.until import until


@dataclass
class Shouting:
    """A server that answers each line in capitals, and records the lines."""

    heard: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(line.upper())
        writer.close()


@contextlib.asynccontextmanager
async def shouting() -> AsyncIterator[tuple[Shouting, Relay]]:
    place = Shouting()
    server = await asyncio.start_server(place.serve, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with relay_to(port, random.Random(1)) as relay:
            yield place, relay
    finally:
        server.close()


async def asked(relay: Relay, line: bytes) -> bytes:
    """Return the answer to a line, on a connection of its own; raises if there is none."""
    reader, writer = await asyncio.open_connection(HOST, relay.port)
    try:
        writer.write(line)
        return await reader.readuntil(b"\n")
    finally:
        writer.close()


async def test_what_is_said_passes_in_both_directions() -> None:
    async with shouting() as (place, relay):
        assert await asked(relay, b"hello\n") == b"HELLO\n"
        assert place.heard == [b"hello\n"]


async def test_of_what_comes_while_it_dies_some_is_carried_out_and_nothing_answered() -> None:
    async with shouting() as (place, relay):
        links = [await asyncio.open_connection(HOST, relay.port) for _ in range(20)]
        for number, (reader, writer) in enumerate(links):
            writer.write(b"before\n")
            assert await reader.readline() == b"BEFORE\n", number
        cutting = asyncio.create_task(relay.cut())
        await asyncio.sleep(0)
        for number, (_, writer) in enumerate(links):
            writer.write(b"meanwhile %d\n" % number)
        for reader, _ in links:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asked(relay, b"too early\n")
        await cutting
        carried_out = [line for line in place.heard if line.startswith(b"meanwhile")]
        assert 0 < len(carried_out) < len(links)
        assert await asked(relay, b"again\n") == b"AGAIN\n"
        assert relay.cuts == 1
        for _, writer in links:
            writer.close()


async def test_the_server_notices_that_a_client_is_gone() -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"the last words"
        writer.close()
        ended.set()

    server = await asyncio.start_server(serve, HOST, 0)
    async with relay_to(server.sockets[0].getsockname()[1], random.Random(1)) as relay:
        _, writer = await asyncio.open_connection(HOST, relay.port)
        writer.write(b"the last words")
        writer.close()
        await until(ended.is_set)
    server.close()

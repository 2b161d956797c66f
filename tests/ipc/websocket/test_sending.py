"""What is sent to clients that read late or not at all, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme
from websockets.frames import Opcode

from ipc.websocket.connection import Connection
from ipc.websocket.demux import Limits
from ipc.websocket.sending import LONG_BYTES, PIECE, frame
from tests.support.echo_server import UPGRADE, EchoServer, echo, plain, text_frame, upgraded
from tests.support.until import PATIENCE, until

MIB = 1 << 20


def fill(connection: Connection) -> bytes:
    """Send until the client is behind; return the frames."""
    sent = b""
    while not connection.paused:
        connection.send(b"x" * 50_000)
        connection.write_out()
        sent += frame(b"x" * 50_000)
    return sent


@asynccontextmanager
async def encrypted(
    **limits: int,
) -> AsyncIterator[tuple[EchoServer, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Run an echo server with TLS; yield it, and every byte of one client's end."""
    issued = trustme.CA().issue_cert("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    made, listener = EchoServer(), socket.create_server(("127.0.0.1", 0))
    await made.start(listener, Limits(**limits), tls=context)
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(*listener.getsockname(), ssl=trusting)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(made.connections))
        try:
            yield made, reader, writer
        finally:
            writer.transport.abort()
            await made.server.close()


async def test_a_client_that_reads_late_gets_everything_in_order() -> None:
    async with upgraded() as (connection, reader, _writer):
        expected = fill(connection)
        for number in range(300):
            connection.send(b"%d" % number + b"y" * number * 10)
            expected += frame(b"%d" % number + b"y" * number * 10)
            if number % 7 == 0:
                connection.write_out()
        large = bytes(range(256)) * 8 * 1024
        connection.send(large)
        connection.send_long(b"one", large[:LONG_BYTES], b"two")
        expected += frame(large) + frame(b"one" + large[:LONG_BYTES] + b"two")
        await asyncio.sleep(0)
        connection.send(b"the last")
        connection.close(1000)  # behind all that was sent
        expected += frame(b"the last") + b"\x88\x02\x03\xe8"
        assert await reader.readexactly(len(expected)) == expected


async def test_a_long_text_for_many_clients_waits_in_one_copy() -> None:
    text = bytes(4 * MIB)
    async with echo(buffered_bytes=16 * MIB) as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(made.connections))
        (connection,) = made.connections
        fill(connection)
        waited = connection.buffered_bytes
        tracemalloc.start()
        for number in range(3):
            connection.send_long(b"%d" % number, text)
            connection.write_out()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert connection.buffered_bytes - waited > 3 * len(text), "each counts, read or not"
        assert used < len(text)
        writer.transport.abort()


async def test_what_waits_is_not_given_to_the_transport_and_dropped_at_once() -> None:
    async with echo(buffered_bytes=MIB) as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(made.connections))
        (connection,) = made.connections
        fill(connection)
        most = 0
        while connection.open:
            connection.send(b"x" * 10_000)
            connection.write_out()
            most = max(most, connection.transport.get_write_buffer_size())
        assert most < 3 * PIECE
        assert connection.buffered_bytes < 3 * PIECE
        assert made.server.unread.slow == 1


async def test_what_tls_keeps_is_counted_and_little_of_it() -> None:
    async with encrypted(buffered_bytes=64 * MIB) as (made, reader, _writer):
        (connection,) = made.connections
        answer = b"z" * 8 * MIB
        connection.send(answer)
        connection.write_out()
        assert connection.paused
        assert connection.transport.get_write_buffer_size() < 4 * PIECE
        assert connection.buffered_bytes > 8 * MIB - 6 * MIB, "the kernels of both ends have a part"
        assert made.server.unread.size_bytes == connection.buffered_bytes
        assert await reader.readexactly(len(frame(answer))) == frame(answer)
        await until(lambda: connection not in made.server.unread)


async def test_a_client_that_pings_and_has_too_much_unread_is_closed() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = made.connections
        fill(connection)
        made.server.limits = Limits(buffered_bytes=1)
        writer.write(text_frame(b"", Opcode.PING))
        await until(lambda: bool(made.closed))
        assert made.server.unread.slow == 1


@pytest.mark.parametrize("kind", ["close", "unmasked"])
async def test_what_ends_a_connection_comes_behind_what_waited(kind: str) -> None:
    async with upgraded() as (connection, reader, writer):
        expected = fill(connection)
        connection.send(b"the last")
        expected += frame(b"the last")
        writer.write({"close": b"\x88\x80" + bytes(4), "unmasked": b"\x81\x01x"}[kind])
        assert await reader.readexactly(len(expected)) == expected
        assert (await reader.readexactly(1)) == b"\x88"


async def test_requests_of_a_client_that_is_behind_are_still_answered_in_order() -> None:
    async with upgraded() as (connection, reader, writer):
        expected = fill(connection)
        writer.write(text_frame(b"one") + text_frame(b"two"))
        await until(lambda: connection.buffered_bytes > 0)
        expected += frame(b"one") + frame(b"two")
        assert await reader.readexactly(len(expected)) == expected

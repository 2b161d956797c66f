"""What a server does for all connections: pings, slow clients, the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from pathlib import Path

import pytest
from websockets.asyncio.client import unix_connect
from websockets.frames import Opcode

from ipc.websocket.connection import MAX_SHORT
from ipc.websocket.demux import Limits
from ipc.websocket.sending import frame
from tests.support.echo_server import (
    UPGRADE,
    EchoServer,
    client,
    echo,
    ended,
    plain,
    text_frame,
)
from tests.support.until import PATIENCE, until


async def test_fragments_are_joined_and_may_have_a_ping_between_them() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            text_frame(b"one ", fin=False)
            + text_frame(b"!", Opcode.PING)
            + text_frame(b"two ", Opcode.CONT, fin=False)
            + text_frame(b"three", Opcode.CONT)
            + text_frame(b"next")
        )
        pong = await reader.readexactly(3)
        assert pong == b"\x8a\x01!"
        expected = frame(b"one two three") + frame(b"next")
        assert await reader.readexactly(len(expected)) == expected


async def test_of_many_pings_that_come_together_the_last_is_answered() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = made.connections
        transport, written = connection.transport, list[bytes]()

        class Watched:
            def __getattr__(self, name: str) -> object:
                return getattr(transport, name)

            def write(self, data: bytes) -> None:
                written.append(bytes(data))
                transport.write(data)

        connection.transport = Watched()  # type: ignore[assignment]
        pings = [text_frame(str(number).encode(), Opcode.PING) for number in range(MAX_SHORT)]
        writer.write(b"".join(pings) + text_frame(b"over"))
        expected = b"\x8a\x03499" + frame(b"over")
        await until(lambda: b"".join(written).endswith(expected))
        found = b"".join(written)
        assert found.count(b"\x8a") <= 10  # as many as there were reads
        received = await reader.readexactly(len(found))
        assert received == found


@pytest.mark.parametrize(
    "kind", [Opcode.PING, Opcode.PONG, Opcode.CONT], ids=["pings", "pongs", "fragments"]
)
async def test_a_flood_of_short_frames_closes_the_connection(kind: Opcode) -> None:
    """The library takes 25 µs for each, and an empty fragment counts towards no size."""
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        few = text_frame(b"", kind, fin=kind is not Opcode.CONT) * (MAX_SHORT // 2)
        begin = text_frame(b"first", fin=kind is not Opcode.CONT)
        end = text_frame(b"", Opcode.CONT) if kind is Opcode.CONT else b""
        writer.write(begin + few + end)
        while (received := await reader.readexactly(2)) == b"\x8a\x00":
            pass
        assert received + await reader.readexactly(5) == frame(b"first")
        writer.write(begin + few * 8)
        closed = b"\x88\x19" + (1008).to_bytes(2, "big") + b"too many control frames"
        assert (await reader.read()).endswith(closed)
        assert len(made.received) <= 2


async def test_many_long_fragments_are_no_flood() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = made.connections
        connection.limit_messages(1 << 20)
        piece = text_frame(b"x" * 126, Opcode.CONT, fin=False)
        writer.write(text_frame(b"", fin=False) + piece * 3 * MAX_SHORT)
        writer.write(text_frame(b"", Opcode.CONT))
        whole = frame(b"x" * 126 * 3 * MAX_SHORT)
        assert await reader.readexactly(len(whole)) == whole


async def test_a_client_that_is_not_admitted_in_time_is_closed() -> None:
    async with echo(handshake=0.05) as made, client(made) as opened:
        assert await ended(opened) == (1000, "")


async def test_a_fault_of_the_application_ends_that_connection_only() -> None:
    async with echo() as made, client(made) as opened, client(made) as other:
        await opened.send("fault")
        assert (await ended(opened))[0] == 1011
        await other.send("still")
        assert await other.recv() == "still"


class Unwritable:
    """A transport that can be asked and not written."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        raise RuntimeError("Cannot call write() after write_eof()")


async def test_a_connection_that_cannot_be_written_keeps_nothing_from_those_behind_it() -> None:
    async with echo() as made, client(made) as broken, client(made) as other:
        await until(lambda: len(made.connections) == 2)
        first, second = made.connections
        first.transport = Unwritable(first.transport)  # type: ignore[assignment]
        for each in (first, second):  # written in this order at the end of this turn
            each.send(b"event")
        assert await other.recv() == "event"
        assert (await ended(broken))[0] == 1006


class Turn:
    """Counts the writes of a server."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def before_write(self) -> None:
        self.steps.append("before")

    def after_write(self) -> None:
        self.steps.append("after")


async def test_what_is_due_at_the_end_of_a_turn_is_written_at_once_where_asked_for() -> None:
    async with echo() as made:
        turn = Turn()
        made.server.set_turn_end(turn)
        made.server.flush_now()
        assert turn.steps == []  # nothing is due
        made.server.flush_soon()
        made.server.flush_now()
        assert turn.steps == ["before", "after"]
        for _ in range(3):
            await asyncio.sleep(0)
        assert turn.steps == ["before", "after"]  # and not once more
        made.server.flush_soon()
        await until(lambda: len(turn.steps) == 4)


async def test_a_client_that_answers_no_ping_is_ended() -> None:
    async with echo(ping=0.05) as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text_frame(b"admit"))
        await reader.readexactly(7)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b"\x89\x00"
        await until(lambda: made.closed == [1006])


async def test_a_client_that_answers_pings_stays() -> None:
    async with echo(ping=0.02) as made, client(made) as opened:
        await opened.send("admit")
        assert await opened.recv() == "admit"
        for _ in range(5):  # pings; each ends a connection that has not answered the one before
            await until(lambda: not made.connections[0].alive)
            await until(lambda: made.connections[0].alive)
        await opened.send("still")
        assert await opened.recv() == "still"


async def test_a_client_that_does_not_read_is_closed() -> None:
    async with echo(buffered_bytes=100_000) as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(made.connections))
        sent = 0
        while made.connections[0].open:
            made.connections[0].send(b"x" * 50_000)
            sent += 50_000
            await asyncio.sleep(0)
            assert sent < 50_000_000
        assert made.server.unread.slow == 1
        await until(lambda: bool(made.closed))


async def test_one_large_answer_alone_closes_nobody() -> None:
    async with echo(buffered_bytes=100_000) as made, client(made) as opened:
        await until(lambda: bool(made.connections))
        made.connections[0].send(b"x" * 20_000_000)
        assert len(await opened.recv()) == 20_000_000


async def test_all_clients_together_may_not_hold_too_much() -> None:
    async with (
        echo(buffered_total_bytes=300_000) as made,
        plain(made) as (one, to_one),
        plain(made) as (two, to_two),
    ):
        for reader, writer in ((one, to_one), (two, to_two)):
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
        await until(lambda: len(made.connections) == 2)
        rounds = 0
        while all(connection.open for connection in made.connections):
            made.connections[0].send(b"x" * 50_000)
            made.connections[1].send(b"x" * 40_000)
            await asyncio.sleep(0)
            rounds += 1
            assert rounds < 1000
        assert [connection.open for connection in made.connections] == [False, True]


async def test_closing_tells_everybody_and_ends_silent_sockets() -> None:
    async with (
        echo() as made,
        client(made) as admitted,
        client(made) as stranger,
        plain(made) as (reader, _),
    ):
        await until(lambda: len(made.connections) == 2 and len(made.server.undecided) == 1)
        made.connections[0].authenticated = True
        await made.server.close()
        assert await ended(admitted) == (1012, "service restart")
        assert await ended(stranger) == (1000, "")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""


async def test_closing_does_not_wait_for_a_client_that_does_not_answer() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(4):
            await made.server.close()


async def test_after_stop_accepting_clients_wait_in_the_backlog() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    first, second = EchoServer(), EchoServer()
    await first.start(listener.dup(), Limits())
    first.server.stop_accepting()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(UPGRADE)
    await first.server.close()
    await second.start(listener, Limits())
    async with asyncio.timeout(PATIENCE):
        assert b"101" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    await second.server.close()


async def test_a_unix_socket_is_ours_alone_and_replaces_a_stale_one(short_path: Path) -> None:
    path = short_path / "cli.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    made = EchoServer()
    await made.start(path, Limits())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with unix_connect(str(path), "ws://localhost/", compression=None) as opened:
        await opened.send("over unix")
        assert await opened.recv() == "over unix"
        assert made.connections[0].peer_uid == os.geteuid()
        assert made.connections[0].loopback
    await made.server.close()
    assert not path.exists()

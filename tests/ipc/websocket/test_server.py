"""The WebSocket server over real sockets: the hot path, the rare paths, the limits, the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import uvloop
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from ipc.websocket import connection as wsconnection
from ipc.websocket.connection import Connection, frame
from ipc.websocket.demux import Limits, is_loopback, wants_websocket
from ipc.websocket.server import Server
from tests.support.until import until

uvloop.new_event_loop().close()  # libuv opens a pipe for the whole process once: not a leak

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Echo:
    """An application that answers every message with itself; text ``admit`` admits."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.closed: list[int | None] = []
        self.received: list[bytes] = []
        self.server: Server
        self.port = 0
        self.path: Path

    def on_connect(self, connection: Connection) -> None:
        self.connections.append(connection)

    def on_text(self, connection: Connection, data: bytes) -> None:
        self.received.append(data)
        if data == b"admit":
            connection.admit(1 << 20)
        if data == b"fault":
            raise ValueError("a fault of the application")
        connection.send(data)

    def on_close(self, connection: Connection) -> None:
        self.closed.append(connection.close_code)

    async def start(self, listen: socket.socket | Path, limits: Limits, **more: object) -> None:
        self.server = await Server.start(
            listen,
            on_connect=self.on_connect,
            on_text=self.on_text,
            on_close=self.on_close,
            limits=limits,
            **more,  # type: ignore[arg-type]
        )


@contextlib.asynccontextmanager
async def echo(host: str = "127.0.0.1", **limits: float) -> AsyncIterator[Echo]:
    made = Echo()
    listener = socket.create_server((host, 0))
    made.port = listener.getsockname()[1]

    async def page(request: web.BaseRequest) -> web.Response:
        return web.Response(text=request.path)

    pages = web.Server(page)
    await made.start(listener, Limits(**limits), http=pages)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.server.close()
        await pages.shutdown(0.1)


@contextlib.asynccontextmanager
async def client(made: Echo) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{made.port}"
    async with connect(url, compression=None, ping_interval=None, max_size=None) as opened:
        yield opened


@contextlib.asynccontextmanager
async def plain(made: Echo) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection without a WebSocket library: every byte is the test's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
    try:
        async with asyncio.timeout(5):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def upgraded() -> AsyncIterator[
    tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]
]:
    """Both ends of one that is open: ours, and every byte of the client's."""
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(made.connections))
        yield made.connections[0], reader, writer


def text_frame(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


async def ended(opened: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await opened.recv()
    return opened.close_code, opened.close_reason


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
async def test_messages_of_every_length_class_come_back(size: int) -> None:
    async with echo() as made, client(made) as opened:
        await opened.send("x" * size)
        assert await opened.recv() == "x" * size


async def test_binary_frames_and_text_are_alike() -> None:
    async with echo() as made, client(made) as opened:
        await opened.send(b"grun")
        assert await opened.recv() == "grun"
        await opened.send("grün")
        assert await opened.recv() == "grün"


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


async def test_a_stream_may_be_cut_anywhere() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        stream = UPGRADE + b"".join(text_frame(b"y" * size) for size in (0, 5, 126, 70))
        for byte in stream:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.readuntil(b"\r\n\r\n")
        expected = b"".join(frame(b"y" * size) for size in (0, 5, 126, 70))
        assert await reader.readexactly(len(expected)) == expected


async def test_messages_in_the_same_packet_as_the_upgrade_are_not_lost() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE + text_frame(b"early") + text_frame(b"half a message")[:4])
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(7) == frame(b"early")
        assert made.received == [b"early"]


async def test_too_many_messages_before_the_upgrade_is_answered_end_the_socket() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE + text_frame(b"early") * 17)
        assert await reader.read() == b""
        assert made.received == []


async def test_who_asks_very_much_at_once_gets_the_first_answers_before_the_last() -> None:
    async with upgraded() as (connection, reader, writer):
        sock = writer.get_extra_info("socket")
        readable: list[bool] = []

        def on_text(data: bytes) -> None:
            readable.append(bool(select.select([sock], [], [], 0)[0]))
            connection.send(data)

        connection.receive = on_text
        count = 8 * wsconnection.MAX_UNWRITTEN
        writer.write(text_frame(b"hello") * count)
        await reader.readexactly(count * len(frame(b"hello")))
        assert True in readable[: count - 1]
        assert not any(readable[: wsconnection.MAX_UNWRITTEN - 1])


async def test_who_asks_very_much_at_once_is_not_closed_for_what_it_could_not_read_yet() -> None:
    async with upgraded() as (connection, reader, writer):
        answer = b"x" * 12_000
        connection.receive = lambda data: connection.send(answer)
        count = 1000  # 12 MB, three times what may be unread
        writer.write(text_frame(b"hello") * count)
        await reader.readexactly(count * len(frame(answer)))
        assert connection.open


async def test_what_comes_behind_our_close_frame_is_not_carried_out() -> None:
    async with upgraded() as (connection, reader, writer):
        received: list[bytes] = []

        def on_text(data: bytes) -> None:
            received.append(data)
            connection.send(data)
            connection.close(1008, "enough")

        connection.receive = on_text
        late = text_frame(b"two") + text_frame(b"th", fin=False) + text_frame(b"ree", Opcode.CONT)
        writer.write(text_frame(b"one") + late)
        answer = frame(b"one") + Frame(Opcode.CLOSE, b"\x03\xf0enough").serialize(mask=False)
        assert await reader.readexactly(len(answer)) == answer
        assert received == [b"one"]


async def test_what_is_sent_in_one_turn_leaves_in_one_write() -> None:
    async with upgraded() as (connection, reader, _writer):
        for number in range(100):
            connection.send(b"%03d" % number)
        assert connection.transport.get_write_buffer_size() == 0
        await asyncio.sleep(0.05)
        expected = b"".join(frame(b"%03d" % number) for number in range(100))
        assert await reader.read(65536) == expected


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"\x81\x01x", 1002),  # not masked
        (b"\x81\x7e\xff\xff", 1002),
        (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
        (b"\x83\x80\0\0\0\0", 1002),  # a reserved opcode
        (b"\x80\x80\0\0\0\0", 1002),  # a continuation of nothing
        (text_frame(b"\xff\xfe"), 1007),
        (text_frame(b"\xc3", fin=False) + text_frame(b"(", Opcode.CONT), 1007),
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"\0\0\0\0", 1009),
        (b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", 1009),
        (b"\x81\xfe\xff\xff\0\0\0\0" + b"\0" * 10, None),  # within the limit: just not complete
    ],
    ids=range(10),
)
async def test_frames_that_break_the_rules(bad: bytes, code: int | None) -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text_frame(b"fine") + bad)
        assert await reader.readexactly(6) == frame(b"fine")
        if code is None:
            assert made.connections[0].open
            return
        close = await reader.readexactly(4)
        assert close[0] == 0x88
        assert int.from_bytes(close[2:], "big") == code
        await reader.read()
        await until(lambda: bool(made.closed))


async def test_fragments_together_may_not_exceed_the_limit() -> None:
    async with echo(preauth_bytes=100) as made, client(made) as opened:
        with contextlib.suppress(ConnectionClosed):
            await opened.send(["x" * 60, "x" * 60])
        assert (await ended(opened))[0] == 1009


async def test_the_limit_grows_when_the_client_is_admitted() -> None:
    async with echo() as made, client(made) as opened:
        await opened.send("admit")
        assert await opened.recv() == "admit"
        await opened.send("x" * 200_000)
        assert len(await opened.recv()) == 200_000


async def test_an_admitted_client_costs_no_headers_and_still_speaks_the_whole_protocol() -> None:
    async with echo() as made, client(made) as opened:
        await opened.send("admit")
        assert await opened.recv() == "admit"
        gc.collect()
        kept = [each for each in gc.get_objects() if isinstance(each, Headers)]
        (key,) = opened.request.headers.get_all("Sec-WebSocket-Key")  # type: ignore[union-attr]
        holders = [each for each in kept if each.get("Sec-WebSocket-Key") == key]
        assert holders == [opened.request.headers]  # type: ignore[union-attr]  # the client's own
        await opened.send(iter(["in ", "frag", "ments"]))  # read by the library's parser
        assert await opened.recv() == "in fragments"
        await (await opened.ping())
        await opened.close(1000, "done")
        await until(lambda: made.closed == [1000])


async def test_a_client_that_is_admitted_in_fragments_goes_on_as_any_other() -> None:
    async with echo() as made, client(made) as opened:
        await opened.send(iter(["ad", "mit"]))
        assert await opened.recv() == "admit"
        await opened.send(iter(["and ", "again"]))
        assert await opened.recv() == "and again"


async def test_a_client_that_is_not_admitted_in_time_is_closed() -> None:
    async with echo(handshake=0.05) as made, client(made) as opened:
        assert await ended(opened) == (1000, "")


async def test_a_fault_of_the_application_ends_that_connection_only() -> None:
    async with echo() as made, client(made) as opened, client(made) as other:
        await opened.send("fault")
        assert (await ended(opened))[0] == 1011
        await other.send("still")
        assert await other.recv() == "still"


async def test_a_socket_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipc.websocket.demux.HEAD_SECONDS", 0.05)
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(b"GET / HT")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert not made.server.undecided


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
        await asyncio.sleep(0.2)
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
        assert made.server.slow == 1
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


async def test_an_address_with_too_many_unauthenticated_sockets_gets_503() -> None:
    host = next(
        (
            entry.address
            for entries in psutil.net_if_addrs().values()
            for entry in entries
            if entry.family == socket.AF_INET and not is_loopback(entry.address)
        ),
        None,
    )
    if host is None:
        pytest.skip("this host has only loopback addresses, which are exempt")
    async with echo(host, preauth_per_address=2) as made:
        url = f"ws://{host}:{made.port}"
        async with connect(url) as one, connect(url) as two:
            with pytest.raises(InvalidStatus) as refusal:
                await connect(url)
            assert refusal.value.response.status_code == 503
            assert refusal.value.response.body == b"Too many unauthenticated sockets"
            await one.send("admit")
            assert await one.recv() == "admit"
            async with connect(url):
                pass
            assert made.server.crowded == 1
            await two.close()


async def test_pages_come_from_the_same_port() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\n/page")
        assert not made.server.undecided


async def test_closing_tells_everybody_and_ends_silent_sockets() -> None:
    async with echo() as made, client(made) as opened, plain(made) as (reader, _):
        await until(lambda: len(made.server.undecided) == 1)
        await made.server.close()
        assert await ended(opened) == (1012, "service restart")
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
    first, second = Echo(), Echo()
    await first.start(listener.dup(), Limits())
    first.server.stop_accepting()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(UPGRADE)
    await first.server.close()
    await second.start(listener, Limits())
    async with asyncio.timeout(5):
        assert b"101" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    await second.server.close()


async def test_a_unix_socket_is_ours_alone_and_replaces_a_stale_one(tmp_path: Path) -> None:
    path = tmp_path / "cli.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    made = Echo()
    await made.start(path, Limits())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with unix_connect(str(path), "ws://localhost/", compression=None) as opened:
        await opened.send("over unix")
        assert await opened.recv() == "over unix"
        assert made.connections[0].peer_uid == os.geteuid()
        assert made.connections[0].loopback
    await made.server.close()
    assert not path.exists()


async def test_without_pages_a_plain_request_is_ended(tmp_path: Path) -> None:
    made = Echo()
    await made.start(tmp_path / "cli.sock", Limits())
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "cli.sock"))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    await made.server.close()


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (UPGRADE, True),
        (b"GET / HTTP/1.1\r\nupGRADE :  WebSocket", True),
        (b"GET / HTTP/1.1\r\nUpgrade: h2c", False),
        (b"GET /?upgrade: websocket HTTP/1.1\r\nHost: x", False),
        (b"", False),
    ],
)
def test_what_counts_as_an_upgrade(head: bytes, answer: bool) -> None:
    assert wants_websocket(head) is answer


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::", False),
    ],
)
def test_what_counts_as_loopback(address: str, answer: bool) -> None:
    assert is_loopback(address) is answer


def test_masks_are_applied_by_the_compiled_function() -> None:
    """The one in Python costs ten times as much, and ``websockets.utils`` has only that one."""
    speedups = pytest.importorskip("websockets.speedups")
    assert vars(wsconnection)["apply_mask"] is speedups.apply_mask

"""One connection over real sockets: the hot path, the rare paths, broken frames."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import select

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from ipc.websocket import connection as wsconnection
from ipc.websocket.sending import frame
from tests.support.echo_server import (
    UPGRADE,
    client,
    echo,
    ended,
    plain,
    text_frame,
    upgraded,
)
from tests.support.until import until


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


async def test_a_read_is_over_once_all_that_it_brought_is_answered() -> None:
    async with upgraded() as (connection, reader, writer):
        ends: list[tuple[int, float]] = []
        connection.receive = connection.send
        connection.after_read = lambda seconds: ends.append((connection.buffered_bytes, seconds))
        writer.write(text_frame(b"one") * 3)
        await reader.readexactly(3 * len(frame(b"one")))
        ((unwritten, seconds),) = ends
        assert unwritten == 0
        assert 0 < seconds < 60


async def test_what_is_sent_in_one_turn_leaves_in_one_write() -> None:
    async with upgraded() as (connection, reader, _writer):
        for number in range(100):
            connection.send(b"%03d" % number)
        assert connection.transport.get_write_buffer_size() == 0
        expected = b"".join(frame(b"%03d" % number) for number in range(100))
        assert await reader.read(65536) == expected, "one write is there as a whole"


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


def test_masks_are_applied_by_the_compiled_function() -> None:
    """The one in Python costs ten times as much, and ``websockets.utils`` has only that one."""
    speedups = pytest.importorskip("websockets.speedups")
    assert vars(wsconnection)["apply_mask"] is speedups.apply_mask

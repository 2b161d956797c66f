"""A young connection over the end of a server: real sockets, and two servers in turn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
from aiohttp import web

from ipc.websocket.demux import HEAD_SECONDS, Limits
from ipc.websocket.sending import frame
from ipc.websocket.young_slots import RECEIVED_BYTES
from tests.support.echo_server import UPGRADE, EchoServer, text_frame
from tests.support.until import PATIENCE, until
from tests.support.young_servers import servers, the_only
from tests.support.young_slots import SlotsRig, slots_rig

HALF = 40  # bytes of a request head


@pytest.fixture
def rig() -> Iterator[SlotsRig]:
    with slots_rig() as made:
        yield made


@pytest.mark.parametrize("sent", [0, HALF, len(UPGRADE)])
async def test_a_head_may_come_in_pieces_to_two_servers(rig: SlotsRig, sent: int) -> None:
    async with servers(rig) as both:
        first = await both.next()
        reader, writer = await both.connect()
        writer.write(UPGRADE[:sent])
        await until(lambda: bool(first.server.undecided or first.connections))
        if sent == HALF:
            (connection,) = first.server.undecided
            await until(lambda: connection._head == UPGRADE[:HALF])  # half a head has arrived
        await both.next()
        assert both.taken == {"resumed": 1}
        writer.write(UPGRADE[sent:] + text_frame(b"one"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert await reader.readexactly(5) == frame(b"one")
        writer.close()


async def test_a_head_has_no_more_time_with_another_server(rig: SlotsRig) -> None:
    async with servers(rig) as both:
        first = await both.next()
        _, writer = await both.connect()
        await until(lambda: bool(first.server.undecided))
        accepted = asyncio.get_running_loop().time()
        second = await both.next()
        (connection,) = second.server.undecided
        assert connection._timer is not None  # its time shows nowhere else
        assert connection._timer.when() <= accepted + HEAD_SECONDS + 0.001  # a sum of floats
        writer.close()


async def test_what_was_read_is_read_again_and_what_was_sent_is_not_sent_again(
    rig: SlotsRig,
) -> None:
    async with servers(rig) as both:
        first = await both.next()
        reader, writer = await both.connect()
        half = text_frame(b"two")
        writer.write(UPGRADE + text_frame(b"one") + half[:4])
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert await reader.readexactly(5) == frame(b"one")
        connection = await the_only(first)
        await until(lambda: bool(connection._tail))  # half a frame has arrived
        second = await both.next()
        young = (await the_only(second)).young
        assert young is not None
        assert young.resumed is not None
        assert (young.resumed.said, young.resumed.messages) == ((b"one",), 1)
        writer.write(half[4:])
        assert await reader.readexactly(10) == frame(b"one") + frame(b"two")  # an echo knows no ids
        assert second.received == [b"one", b"two"]
        third = await both.next()  # the notes of both are read
        assert await reader.readexactly(10) == frame(b"one") + frame(b"two")
        await until(lambda: third.received == [b"one", b"two"])
        writer.close()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([b"x" * 60_000], [b"y" * 60_000]),  # together more than is kept
        ([b"x"] * 40, [b"y"] * 40),  # more than may come before a handshake is answered
        ([], [b"y"] * 40),
    ],
)
async def test_nothing_is_handed_on_before_the_connection_knows_what_was_said(
    rig: SlotsRig, before: list[bytes], after: list[bytes]
) -> None:
    async with servers(rig) as both:
        await both.next()
        reader, writer = await both.connect()
        writer.write(UPGRADE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.write(b"".join(map(text_frame, before)))
        echoes = b"".join(map(frame, before))
        assert await reader.readexactly(len(echoes)) == echoes
        both.stop()
        writer.write(b"".join(map(text_frame, after)))
        second = await both.next()
        echoes += b"".join(map(frame, after))
        assert await reader.readexactly(len(echoes)) == echoes  # no second head
        assert second.received == before + after
        writer.close()


async def test_a_settled_connection_is_kept_no_longer_and_works_on(rig: SlotsRig) -> None:
    async with servers(rig) as both:
        made = await both.next()
        reader, writer = await both.connect()
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        connection = await the_only(made)
        young = connection.young
        assert young is not None
        young.settle_when(lambda: bool(made.received))
        writer.write(text_frame(b"one"))
        assert await reader.readexactly(5) == frame(b"one")
        await until(lambda: connection.young is None)
        young.release()  # a second time is nothing
        writer.write(text_frame(b"two"))
        assert await reader.readexactly(5) == frame(b"two")
        assert not rig.inherit().filled()
        connection.close()
        assert await reader.readexactly(4) == b"\x88\x02\x03\xe8"
        assert await reader.read() == b""  # no slot holds the socket
        writer.close()


@pytest.mark.parametrize("size", [RECEIVED_BYTES, 60_000])
async def test_one_that_says_too_much_is_kept_no_longer(rig: SlotsRig, size: int) -> None:
    async with servers(rig) as both:
        made = await both.next()
        reader, writer = await both.connect()
        writer.write(UPGRADE + text_frame(b"admit"))
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(7) == frame(b"admit")
        connection = await the_only(made)
        for _ in range(3):
            writer.write(text_frame(b"x" * size))
            assert (await reader.readexactly(len(frame(b"x" * size)))).endswith(b"x")
        assert connection.young is None
        writer.close()


async def test_http_is_kept_until_its_head_has_come(rig: SlotsRig) -> None:
    async with servers(rig) as both:
        made = await both.next()
        _, writer = await both.connect()
        writer.write(b"GET / HT")
        await until(lambda: bool(made.server.undecided))
        (connection,) = made.server.undecided
        await until(lambda: connection._head == b"GET / HT")  # half a head has arrived
        second = await both.next()
        assert both.taken == {"resumed": 1}
        writer.write(b"TP/1.1\r\n\r\n")
        await until(lambda: not second.server.undecided)
        assert not rig.inherit().filled()
        writer.close()


async def test_http_is_served_as_ever_and_kept_no_longer(rig: SlotsRig) -> None:
    async def page(request: web.BaseRequest) -> web.Response:
        return web.Response(body=request.path.encode() + await request.read())

    pages, made = web.Server(page), EchoServer()
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    await made.start(listener, Limits(), http=pages, slots=rig.inherit())
    reader, writer = await asyncio.open_connection(*address)
    async with asyncio.timeout(PATIENCE):
        for method, path, body in (("GET", b"/one", b""), ("POST", b"/two", b"x" * 300_000)):
            length = f"Content-Length: {len(body)}\r\n\r\n"
            writer.write(f"{method} {path.decode()} HTTP/1.1\r\nHost: x\r\n{length}".encode())
            writer.write(body)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(len(path + body)) == path + body
            assert not rig.inherit().filled()
    writer.close()
    await made.server.close()
    await pages.shutdown(0.1)


async def test_what_a_dead_server_had_not_sent_comes_from_the_next_and_then_the_end(
    rig: SlotsRig,
) -> None:
    async with servers(rig) as both:
        await both.next()
        reader, writer = await both.connect()
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        ((slot, sock),) = rig.inherit().filled()
        notes = slot.notes()
        slot.take_over()
        assert slot.record_sent(frame(b"bye") + b"\x88\x00")  # noted, and the process died
        sock.close()
        assert notes.sent.startswith(b"HTTP/1.1 101 ")
        await both.next()
        assert both.taken == {"finished": 1}
        assert await reader.readexactly(7) == frame(b"bye") + b"\x88\x00"
        assert await reader.read() == b""
        writer.close()

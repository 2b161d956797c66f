"""HTTP connections that nobody uses, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ipc.websocket.http_socket import (
    ASKED_SECONDS,
    LATE_SECONDS,
    REFUSALS,
    UNREAD_MS,
    HttpSocket,
)
from ipc.websocket.unread import UnreadOutput
from tests.support.echo_server import EchoServer, echo
from tests.support.until import PATIENCE, until

GET = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"


@contextlib.asynccontextmanager
async def idle(made: EchoServer, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections that were answered once."""
    opened = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        opened.append((reader, writer))
        writer.write(GET)
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"/page")
    try:
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()


@pytest.mark.parametrize("limits", [{"unproven": 5}, {"http_per_address": 5}])
async def test_however_many_are_kept_open_a_new_client_is_served(limits: dict[str, Any]) -> None:
    async with echo(**limits) as made, idle(made, 20) as readers:
        assert len(made.server.unproven) == 5
        assert made.server.unproven.evicted == 15
        async with asyncio.timeout(PATIENCE):
            for reader in readers[:15]:
                assert await reader.read() == b"", "the oldest ones are closed"
        assert not any(reader.at_eof() for reader in readers[15:])


async def test_a_request_that_has_come_is_answered_though_its_socket_was_idle_for_longest() -> None:
    async with echo(http_per_address=5) as made:
        many = [socket.create_connection(("127.0.0.1", made.port)) for _ in range(6)]
        for each in many[:5]:
            each.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(each, GET)
            async with asyncio.timeout(PATIENCE):
                assert b"/page" in await asyncio.get_running_loop().sock_recv(each, 4096)
        oldest, newest = many[0], many[5]
        newest.sendall(GET)  # read before the other, and takes a place
        oldest.sendall(GET)
        async with asyncio.timeout(PATIENCE):
            assert b"/page" in await asyncio.get_running_loop().sock_recv(oldest, 4096)
        assert made.server.unproven.evicted == 1  # another one, which is idle
        for each in many:
            each.close()


async def test_sockets_that_never_ask_give_way_too() -> None:
    async with echo(unproven=5) as made:
        silent = [await asyncio.open_connection("127.0.0.1", made.port) for _ in range(20)]
        await until(lambda: made.server.unproven.evicted == 15)
        async with idle(made, 1):
            assert len(made.server.unproven) == 5
        for _, writer in silent:
            writer.close()
        await until(lambda: not len(made.server.unproven))


async def test_without_files_a_socket_takes_the_place_of_an_idle_one() -> None:
    async with echo(files=1) as made:  # every descriptor is above it
        _, first = await asyncio.open_connection("127.0.0.1", made.port)
        await until(lambda: made.server.starved == 1)
        async with asyncio.timeout(PATIENCE):
            reader, second = await asyncio.open_connection("127.0.0.1", made.port)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b"", "nothing to close for it"
        assert made.server.starved == 2
        first.close()
        second.close()


def budget(most: int = 1000) -> UnreadOutput:
    return UnreadOutput(most, lambda: 0.0)


class PlayedTransport(asyncio.Transport):
    """A transport whose client has not read ``unread`` bytes."""

    def __init__(self, sock: socket.socket, unread: int = 0, *, encrypted: bool = False) -> None:
        super().__init__({"socket": sock, "ssl_object": object() if encrypted else None})
        self.unread = unread
        self.ended = ""

    def get_write_buffer_size(self) -> int:
        return self.unread

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Clock:
    """The loop's clock, as far as this is asked."""

    now = 100.0

    def time(self) -> float:
        return self.now


def test_half_a_request_keeps_its_socket_for_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    made = HttpSocket(asyncio.Protocol(), lambda each: None, lambda each: None, budget())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = PlayedTransport(ours)
        made.connection_made(transport)
        made.data_received(b"GET /pa")
        clock.now += ASKED_SECONDS / 2
        made.data_received(b"ge")  # a piece now and then does not keep it
        assert not made.close_if_idle()
        clock.now += ASKED_SECONDS / 2
        assert made.close_if_idle()
        with made.answering():
            made.data_received(b"the next one")
        assert not made.close_if_idle(), "that came while the first was being answered"
        with made.answering():
            pass
        theirs.send(b"GET")
        assert not made.close_if_idle(), "nothing has read it yet"
        ours.recv(3)
        assert made.close_if_idle()


@pytest.mark.parametrize(
    ("unread", "encrypted", "answering", "refusing", "ended"),
    [
        (0, False, False, False, "closed"),
        (9, False, False, False, "aborted"),
        (0, True, False, False, "aborted"),  # it would wait for its client
        (0, False, True, False, ""),
        (9, True, True, False, ""),
        (0, False, True, True, "closed"),
        (9, False, True, True, "aborted"),
    ],
)
def test_how_one_gives_way(
    unread: int, encrypted: bool, answering: bool, refusing: bool, ended: str
) -> None:
    made = HttpSocket(asyncio.Protocol(), lambda each: None, lambda each: None, budget())
    assert not made.close_if_idle(), "it has not begun"
    with socket.socket() as sock:
        transport = PlayedTransport(sock, unread, encrypted=encrypted)
        made.connection_made(transport)
        timeout = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert timeout == UNREAD_MS, "the kernel ends one whose client does not read"
        with contextlib.ExitStack() as stack:
            if answering:
                stack.enter_context(made.answering())
            if refusing:
                stack.enter_context(made.refusing())
            assert made.close_if_idle() is bool(ended)
        assert transport.ended == ended
        made.connection_lost(None)
        assert not made.close_if_idle()


@pytest.mark.virtual_time
async def test_who_is_refused_again_and_again_is_answered_late_and_gives_way_meanwhile() -> None:
    loop = asyncio.get_running_loop()
    made = HttpSocket(asyncio.Protocol(), lambda each: None, lambda each: None, budget())
    with socket.socket() as sock:
        transport = PlayedTransport(sock)
        made.connection_made(transport)

        async def seconds(*, refused: bool) -> float:
            began = loop.time()
            await made.on_answer(refused=refused)
            return loop.time() - began

        for _ in range(2):
            assert [await seconds(refused=True) for _ in range(REFUSALS)] == [0.0] * REFUSALS
            assert await seconds(refused=True) == pytest.approx(LATE_SECONDS)
            assert await seconds(refused=True) == pytest.approx(LATE_SECONDS)
            assert await seconds(refused=False) == 0.0
        made.data_received(b"the next one")
        assert not made.close_if_idle()
        for _ in range(REFUSALS):
            await made.on_answer(refused=True)
        late = asyncio.create_task(made.on_answer(refused=True))
        await asyncio.sleep(0)
        assert made.close_if_idle()
        assert transport.ended == "closed"
        await late


class PlayedHandler(asyncio.Protocol):
    """The library, as far as it is told whether the client reads."""

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        pass


def test_what_the_transport_and_an_answer_keep_is_counted_together() -> None:
    unread = budget()
    made = HttpSocket(PlayedHandler(), lambda each: None, lambda each: None, unread)
    made.hold(9)
    assert unread.size_bytes == 0, "it has not begun, or is over"
    with socket.socket() as sock:
        transport = PlayedTransport(sock, 100)
        made.connection_made(transport)
        made.hold(20)
        assert unread.size_bytes == 120
        made.pause_writing()
        made.hold(0)
        assert unread.size_bytes == 100, "the transport still has it"
        made.hold(30)
        made.resume_writing()
        assert unread.size_bytes == 130, "the answer still has it"
        made.hold(0)
        assert made not in unread
        made.pause_writing()
        made.connection_lost(None)
        assert made not in unread


@pytest.mark.parametrize("by", ["transport", "answer"])
def test_one_that_all_together_have_no_room_for_is_cut_off(by: str) -> None:
    unread = budget(1000)
    made = HttpSocket(PlayedHandler(), lambda each: None, lambda each: None, unread)
    with socket.socket() as sock:
        transport = PlayedTransport(sock)
        made.connection_made(transport)
        if by == "transport":
            transport.unread = 1001
            made.pause_writing()
        else:
            made.hold(500)
            made.hold(1001)
        assert (transport.ended, made.was_cut, unread.slow) == ("aborted", True, 1)
        assert unread.size_bytes == 0

"""A listening socket that is accepted on: one by one, no more after the end, not without room."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator

import pytest

from ipc.websocket.accepting import AT_ONCE, Acceptor
from tests.support.until import until


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=4 * AT_ONCE) as made:
        yield made


@contextlib.contextmanager
def waiting(listener: socket.socket, count: int) -> Iterator[list[socket.socket]]:
    """Clients that have connected."""
    with contextlib.ExitStack() as stack:
        address = listener.getsockname()
        yield [stack.enter_context(socket.create_connection(address)) for _ in range(count)]


async def test_all_that_wait_are_accepted_in_their_order(listener: socket.socket) -> None:
    accepted: list[socket.socket] = []
    with waiting(listener, 2 * AT_ONCE + 1) as clients:
        acceptor = Acceptor(listener.dup(), 4 * AT_ONCE, accepted.append)
        await until(lambda: len(accepted) == len(clients))
        assert [each.getpeername() for each in accepted] == [each.getsockname() for each in clients]
        acceptor.close()
    for sock in accepted:
        sock.close()


async def test_near_the_last_file_one_is_accepted_in_a_turn(listener: socket.socket) -> None:
    turns: list[int] = []
    loop, turn = asyncio.get_running_loop(), 0

    def count() -> None:
        nonlocal turn
        turn += 1
        if len(turns) < 5:
            loop.call_soon(count)

    def accept(sock: socket.socket) -> None:
        turns.append(turn)
        accepted.append(sock)

    accepted: list[socket.socket] = []
    with waiting(listener, 5):
        acceptor = Acceptor(listener.dup(), 100, accept, 1)  # every descriptor is above it
        loop.call_soon(count)
        await until(lambda: len(turns) == 5)
        acceptor.close()
    assert len(set(turns)) == 5
    for sock in accepted:
        sock.close()


async def test_who_comes_after_the_end_waits_for_the_next(listener: socket.socket) -> None:
    accepted: list[socket.socket] = []

    def accept_one(sock: socket.socket) -> None:
        accepted.append(sock)
        first.close()

    first = Acceptor(listener.dup(), 100, accept_one)
    with waiting(listener, 2):
        await until(lambda: bool(accepted))
        first.close()  # a second time is nothing
        await asyncio.sleep(0)
        assert len(accepted) == 1
        second = Acceptor(listener.dup(), 100, accepted.append)
        await until(lambda: len(accepted) == 2)
        second.close()
    for sock in accepted:
        sock.close()


@pytest.mark.parametrize("ends", [False, True])
async def test_without_room_for_a_file_they_wait(
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    ends: bool,
) -> None:
    monkeypatch.setattr("ipc.websocket.accepting.RETRY_SECONDS", 0.01)
    accepted: list[socket.socket] = []
    acceptor = Acceptor(listener.dup(), 100, accepted.append)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with waiting(listener, 1):
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # a number beyond is refused
        try:
            await until(lambda: "no connection is accepted" in caplog.text)
            assert not accepted
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if ends:
            acceptor.close()
            await asyncio.sleep(0.05)
            assert not accepted
        else:
            await until(lambda: bool(accepted))
            acceptor.close()
    for sock in accepted:
        sock.close()

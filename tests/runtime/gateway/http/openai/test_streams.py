"""A stream of events joins what its client has not read, and ends where that is too much."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest

from ipc.websocket.http_socket import HttpSocket
from ipc.websocket.unread import UnreadOutput
from runtime.gateway.http.openai import streams
from runtime.gateway.http.openai.streams import (
    KEEP_ALIVE,
    MAX_WAITING,
    PIECE,
    EventWriter,
)


class Written(EventWriter):
    """A writer that keeps what it would send; there is no connection."""

    def __init__(self, unread: UnreadOutput | None = None) -> None:
        request: Any = _Request(None if unread is None else Connection(unread))
        super().__init__(request)
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def write(self, data: bytes) -> None:
        self.sent.put_nowait(data)


class Connection(asyncio.Transport):
    """A transport whose protocol is a socket that speaks HTTP."""

    def __init__(self, unread: UnreadOutput) -> None:
        super().__init__()
        self.socket = HttpSocket(asyncio.Protocol(), lambda each: None, lambda each: None, unread)
        self.socket.connection_made(self)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.socket

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.socket.connection_lost(None)


class _Request:
    def __init__(self, transport: Connection | None) -> None:
        self.transport = transport


async def test_text_that_waits_is_joined() -> None:
    events = Written()
    events.add("one ")
    events.add("two")
    assert await events.next() == "one two"
    events.add("three")
    events.close()
    assert await events.next() == "three"
    assert await events.next() is None


async def test_a_client_that_is_too_far_behind_is_slow_and_nothing_is_kept_for_it() -> None:
    events = Written()
    events.add("x" * MAX_WAITING)
    assert not events.slow
    events.add("x")
    assert events.slow
    events.mark_lost()
    with pytest.raises(ConnectionResetError):
        await events.next()


async def test_a_long_text_goes_out_in_pieces() -> None:
    events = Written()
    text = "".join(chr(0x1F600 + n % 60) for n in range(3 * PIECE + 5))
    for start in range(0, len(text), 1000):
        events.add(text[start : start + 1000])
    events.close()
    taken = []
    while (piece := await events.next()) is not None:
        taken.append(piece)
    assert "".join(taken) == text
    assert [len(each) for each in taken] == [PIECE, PIECE, PIECE, 5]


@pytest.mark.parametrize("read", [0, 1])
async def test_what_waits_of_a_whole_text_is_held_with_it(read: int) -> None:
    unread = UnreadOutput(10_000_000, lambda: 0.0)
    events = Written(unread)
    text = "".join(chr(0x1F600 + n % 60) for n in range(3 * PIECE + 5))
    left = 4 * (3 - read) * PIECE  # bytes
    tracemalloc.start()
    try:
        for start in range(0, len(text), 1000):
            events.add(text[start : start + 1000])
        taken = [str(await events.next()) for _ in range(read)]
        before, _ = tracemalloc.get_traced_memory()
        events.complete(text)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert before - after > left
    assert left < unread.size_bytes < left + 200
    events.close()
    while (piece := await events.next()) is not None:
        taken.append(piece)
    assert "".join(taken) == text
    assert [len(each) for each in taken] == [PIECE, PIECE, PIECE, 5]
    assert unread.size_bytes == 0


async def test_a_text_of_which_nothing_waits_is_not_held() -> None:
    events = Written()
    events.add("x")
    assert await events.next() == "x"
    events.complete("x")
    events.close()
    assert await events.next() is None


async def test_where_all_streams_hold_too_much_the_fullest_is_cut() -> None:
    unread = UnreadOutput(100_000, lambda: 0.0)
    few, more, most = (Written(unread) for _ in range(3))
    few.add("x" * 10_000)
    more.add("\N{GRINNING FACE}" * 10_000)  # 40,000 bytes in memory
    most.add("x" * 45_000)
    assert not any(each.slow for each in (few, more, most))
    few.add("x" * 10_000)
    assert (few.slow, more.slow, most.slow) == (False, False, True)
    assert await few.next() == "x" * PIECE
    assert unread.size_bytes < 10_000 + 45_000
    for each in (few, more):
        each.drop()
    assert unread.size_bytes == 0


async def test_silence_is_filled_with_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_SECONDS", 0.001)
    events = Written()
    waiting = asyncio.ensure_future(events.next())
    assert {await events.sent.get(), await events.sent.get()} == {KEEP_ALIVE}
    events.add("at last")
    assert await waiting == "at last"

"""A long message is kept only if its beginning allows that, in one frame and in fragments."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from websockets.frames import Opcode

from ipc.websocket.connection import Connection
from ipc.websocket.long_messages import (
    BEGINNING_BYTES,
    LONG_HEADER_BYTES,
    LONG_MESSAGE_BYTES,
    LongFrame,
    PartialMessage,
)
from ipc.websocket.sending import frame
from tests.support.echo_server import text_frame, upgraded
from tests.support.until import until

LONG = LONG_MESSAGE_BYTES + 1
MOST = 4 * LONG_MESSAGE_BYTES


class Rules:
    """Messages that begin with ``yes`` may be long, those with ``bad`` in them may not be read."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.refused: list[bytes] = []

    def most_bytes(self, beginning: bytes) -> int:
        self.asked.append(beginning)
        return MOST if beginning.startswith(b"yes") else LONG_MESSAGE_BYTES

    def refuse(self, beginning: bytes) -> None:
        self.refused.append(beginning)

    def accepts(self, message: bytes) -> bool:
        return b"bad" not in message


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def message(beginning: bytes, size: int) -> bytes:
    return beginning + b"x" * (size - len(beginning))


@pytest.mark.parametrize("size", [1000, 65_536, 1_000_003])
@pytest.mark.parametrize(
    ("beginning", "length", "kept"),
    [
        (b"no", LONG_MESSAGE_BYTES, True),
        (b"no", LONG, False),
        (b"yes", LONG, True),
        (b"yes", MOST, True),
        (b"yes", MOST + 1, False),
        (b"yes bad", LONG, False),
    ],
)
def test_the_beginning_decides(beginning: bytes, length: int, kept: bool, size: int) -> None:
    sent = message(beginning, length)
    rules = Rules()
    fragments = PartialMessage(rules)
    for piece in pieces(sent, size):
        fragments.add(piece)
    framed = text_frame(sent) + b"behind"
    long = LongFrame(framed[:LONG_HEADER_BYTES], rules)
    for piece in pieces(framed[LONG_HEADER_BYTES:], size):
        rest = long.add(piece)
    assert (long.left, rest) == (0, b"behind")
    assert fragments.release() == long.message.release() == (sent if kept else None)
    refused = [] if kept or b"bad" in sent else [sent[:BEGINNING_BYTES]] * 2
    assert rules.refused == refused
    assert {len(each) for each in rules.asked} <= {BEGINNING_BYTES}


def test_without_rules_every_message_is_kept() -> None:
    sent = message(b"no", LONG)
    made = PartialMessage(None, LONG)
    made.add(sent)
    assert made.release() == sent


def test_a_refused_message_takes_no_memory() -> None:
    long = LongFrame(text_frame(message(b"no", 3 * LONG))[:LONG_HEADER_BYTES], Rules())
    piece = bytes(LONG_MESSAGE_BYTES // 4)
    tracemalloc.start()
    try:
        while long.left:
            long.add(piece)
        assert tracemalloc.get_traced_memory()[1] < LONG_MESSAGE_BYTES
    finally:
        tracemalloc.stop()


@asynccontextmanager
async def ruled() -> AsyncIterator[
    tuple[Connection, Rules, asyncio.StreamReader, asyncio.StreamWriter]
]:
    async with upgraded() as (connection, reader, writer):
        connection.limit_messages(2 * MOST)
        connection.rules = rules = Rules()
        yield connection, rules, reader, writer


def whole(data: bytes) -> bytes:
    return text_frame(data)


def binary(data: bytes) -> bytes:
    return text_frame(data, Opcode.BINARY)


def in_fragments(data: bytes) -> bytes:
    first, *more = pieces(data, 300_000)
    middle = b"".join(text_frame(each, Opcode.CONT, fin=False) for each in more)
    return text_frame(first, fin=False) + middle + text_frame(b"", Opcode.CONT)


@pytest.mark.parametrize("sent_as", [whole, binary, in_fragments])
async def test_a_refused_message_leaves_the_connection_as_it_was(
    sent_as: Callable[[bytes], bytes],
) -> None:
    async with ruled() as (connection, rules, reader, writer):
        received: list[bytes] = []

        def on_text(data: bytes) -> None:
            received.append(data)
            connection.send(b"%d" % len(data))

        connection.receive = on_text
        kept = message(b"yes", LONG)
        sent = [b"one", message(b"no", 3 * LONG), b"two", kept, b"three", message(b"no", LONG)]
        writer.write(b"".join(map(sent_as, sent)) + text_frame(b"four"))
        expected = b"".join(frame(b"%d" % size) for size in (3, 3, LONG, 5, 4))
        assert await reader.readexactly(len(expected)) == expected
        assert received == [b"one", b"two", kept, b"three", b"four"]
        assert len(rules.refused) == 2


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (text_frame(message("yes grün".encode(), LONG)), None),
        (text_frame(message(b"yes \xff", LONG)), 1007),
        (text_frame(message(b"yes", 2 * MOST + 1)), 1009),
        (text_frame(message(b"yes", LONG), fin=False), 1009),  # fragments are short
        (text_frame(b"yes", fin=False) + text_frame(bytes(LONG), Opcode.CONT), 1009),
        (b"\x81\x7f" + LONG.to_bytes(8, "big") + bytes(LONG), 1002),  # not masked
    ],
    ids=["text", "not UTF-8", "beyond the limit", "fragment", "continuation", "no mask"],
)
async def test_long_frames_that_break_the_rules(sent: bytes, code: int | None) -> None:
    async with ruled() as (connection, _, reader, writer):
        connection.receive = lambda data: connection.send(b"%d" % len(data))
        writer.write(sent)
        if code is None:
            answer = frame(b"%d" % LONG)
            assert await reader.readexactly(len(answer)) == answer
            return
        close = await reader.readexactly(4)
        assert (close[0], int.from_bytes(close[2:], "big")) == (0x88, code)


async def test_a_client_that_goes_amid_a_long_message_leaves_nothing() -> None:
    async with ruled() as (connection, _, _reader, writer):
        writer.write(text_frame(message(b"yes", LONG))[: LONG // 2])
        # A leak shows nowhere else.
        await until(lambda: connection._long is not None)
        writer.close()
        await until(lambda: connection._long is None)


async def test_what_ends_after_our_close_frame_is_not_carried_out() -> None:
    async with ruled() as (connection, _, reader, writer):
        received: list[bytes] = []
        connection.receive = received.append
        sent = text_frame(message(b"yes", LONG))
        writer.write(sent[: LONG // 2])
        # Nothing else shows how much of it has come.
        await until(lambda: connection._long is not None)
        connection.close(1008, "slow consumer")
        assert (await reader.readexactly(1))[0] == 0x88
        writer.write(sent[LONG // 2 :])
        await until(lambda: connection._long is None)  # nothing answers it
        assert received == []

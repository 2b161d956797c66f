"""Bodies of responses are read whole, up to a bound."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader

from workers.web.bodies import read_at_most

PIECES = [b"abc", b"def", b"gh"]


async def body() -> StreamReader:
    """Return a body that comes in pieces, one in each turn of the loop."""
    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    protocol.connection_made(asyncio.Transport())
    content = StreamReader(protocol, 2**16, loop=loop)

    def feed(pieces: list[bytes]) -> None:
        if pieces:
            content.feed_data(pieces[0])
            loop.call_soon(feed, pieces[1:])
        else:
            content.feed_eof()

    loop.call_soon(feed, PIECES)
    return content


async def test_a_body_that_comes_in_pieces_is_whole() -> None:
    assert await read_at_most(await body(), 100) == b"abcdefgh"


@pytest.mark.parametrize(("limit", "found"), [(1, b"a"), (3, b"abc"), (4, b"abcdef")])
async def test_reading_ends_soon_after_the_bound(limit: int, found: bytes) -> None:
    assert await read_at_most(await body(), limit) == found

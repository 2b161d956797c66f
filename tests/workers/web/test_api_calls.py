"""Requests to APIs: bounded, without redirects, and with errors that name the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader

from tests.support.web_server import answering
from workers.testing.ports import free_port
from workers.web import api_calls
from workers.web.api_calls import read_at_most, send_request
from workers.web.faults import NoAnswer, Unreachable

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


async def answer(request: web.Request) -> web.Response:
    """Answer with what was sent, redirect, or answer nothing, by the path."""
    match request.path:
        case "/redirect":
            raise web.HTTPFound("/answer")
        case "/hang":
            await asyncio.Event().wait()
    token = request.headers.get("Authorization", "none")
    return web.Response(text=f"{request.query_string} {await request.text()} {token}")


@asynccontextmanager
async def platform() -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """Run a server; yield a session and its address."""
    async with answering(answer) as address, aiohttp.ClientSession() as session:
        yield session, f"http://{address}/"


async def test_a_request_is_sent_with_everything_that_it_is_given() -> None:
    async with platform() as (session, root):
        status, headers, content = await send_request(
            session,
            "answer",
            "POST",
            f"{root}answer",
            data=b"body",
            query={"n": "1"},
            headers={"Authorization": "Bearer t"},
        )
    assert (status, content) == (200, b"n=1 body Bearer t")
    assert headers["Content-Type"].startswith("text/plain")


async def test_a_redirect_is_returned_and_not_followed() -> None:
    async with platform() as (session, root):
        status, _, _ = await send_request(session, "move", "POST", f"{root}redirect", data=None)
    assert status == 302


async def test_a_response_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_calls, "MAX_BODY", 3)
    async with platform() as (session, root):
        data = b"x" * 1_000_000
        _, _, content = await send_request(session, "big", "POST", f"{root}answer", data=data)
    assert 3 <= len(content) < len(data)


async def test_errors_name_the_call_and_whether_it_may_have_been_carried_out() -> None:
    async with platform() as (session, root):
        with pytest.raises(NoAnswer, match=r"^getMe: no answer in time$"):
            await send_request(session, "getMe", "POST", f"{root}hang", data=None, seconds=0.2)
        nowhere = f"http://127.0.0.1:{free_port()}/token"
        with pytest.raises(Unreachable, match="refused"):
            await send_request(session, "getMe", "POST", nowhere, data=None)

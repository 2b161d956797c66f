"""A malformed body is refused as soon as it shows, at every door; the raw bytes are the test's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from runtime.gateway.http import hooks, ingress_bodies, json_bodies
from runtime.gateway.http.broken_bodies import BodyCheckingServer
from tests.support.gateway_rig import TOKEN, gateway_rig, row
from tests.support.http_api import ON
from tests.support.until import PATIENCE, until

KEY, HOOK_TOKEN = "irc:libera", "hook-secret"
FIRST = b"1\r\n{\r\n"  # a chunk
BROKEN = {
    "no size": b"\r\n",
    "no number": b"zz\r\n",
    "a negative size": b"-1\r\n",
    "a size without end": b"f" * 20 + b"\r\n",
    "a sign": b"+1\r\n}\r\n",
    "a space": b"1 \r\n}\r\n",
    "an old prefix": b"0x1\r\n}\r\n",
    "more than its size": b"1\r\n}}}\r\n",
    "a line that ends early": b"1\n}\r\n",
    "a malformed trailer": b"0\r\nno colon\r\n\r\n",
    "another request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}
DOORS = {
    "a hook": ("/hooks/wake", HOOK_TOKEN),
    "the API": ("/v1/chat/completions", TOKEN),
    "a tool": ("/tools/invoke", TOKEN),
    "an account": ("/channels/irc/libera/hook", TOKEN),
}


def head(path: str, token: str, *lines: str) -> bytes:
    first = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}"]
    return "\r\n".join([*first, "Transfer-Encoding: chunked", *lines, "", ""]).encode()


@asynccontextmanager
async def opened(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(("path", "token"), DOORS.values(), ids=DOORS)
async def test_a_malformed_chunk_is_answered_at_once(
    path: str,
    token: str,
    broken: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for module in (hooks, json_bodies, ingress_bodies):
        monkeypatch.setattr(module, "BODY_SECONDS", 10 * PATIENCE)
    async with gateway_rig(row(KEY, ingress=True), http={"endpoints": ON}) as rig:
        await rig.report(hooks={"enabled": True, "token": HOOK_TOKEN})
        await rig.worker(KEY, ingress=True)
        async with opened(rig.port) as (reader, writer):
            writer.write(head(path, token, "Expect: 100-continue"))
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")  # now the body is read
            writer.write(FIRST + broken)
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"the body is malformed" in answer
        assert answer.count(b"HTTP/1.1 ") == 1
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_one_that_comes_with_its_head_is_answered_at_once_too(broken: bytes) -> None:
    async with gateway_rig() as rig, opened(rig.port) as (reader, writer):
        writer.write(head("/tools/invoke", TOKEN) + FIRST + broken)
        assert b" 400 " in (await reader.read()).partition(b"\r\n")[0]


async def test_a_request_behind_another_one_is_refused_in_its_turn() -> None:
    """Its body is broken before anything reads it."""
    let_go = asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.Response:
        await let_go.wait()
        try:
            return web.Response(body=await request.read())
        except web.RequestPayloadError as error:
            return web.Response(status=400, text=str(error))

    server = BodyCheckingServer(answer, lingering_time=0)
    serving = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        async with opened(serving.sockets[0].getsockname()[1]) as (reader, writer):
            writer.write(head("/", "") + b"2\r\nok\r\n0\r\n\r\n")
            await until(lambda: server.requests_count == 1)
            writer.write(head("/", "") + FIRST)
            (connection,) = server.connections
            # What the library has queued shows nowhere else.
            await until(lambda: connection._messages)
            writer.write(b"zz\r\n")
            # As above.
            await until(lambda: len(connection._messages) == 2)
            let_go.set()
            first, second = (await reader.read()).split(b"HTTP/1.1 ")[1:]
    finally:
        serving.close()
        await server.shutdown(1)
    assert first.startswith(b"200 ")
    assert first.endswith(b"ok")
    assert second.startswith(b"400 ")
    assert second.endswith(b"the body is malformed")

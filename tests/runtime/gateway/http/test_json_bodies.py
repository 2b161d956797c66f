"""Bodies are read as JSON within their bounds, over a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from unittest import mock

import pytest
from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request

from ipc.nesting import decode_json, require_shallow
from runtime.gateway.http import json_bodies
from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.json_bodies import JsonBodies
from tests.support.until import PATIENCE

MOST = 100


@asynccontextmanager
async def bodies() -> AsyncIterator[tuple[JsonBodies, int]]:
    """Serve what a reader returns, or the status and the words with which it refuses."""
    reader = JsonBodies()

    async def answer(request: web.BaseRequest) -> web.Response:
        try:
            return web.Response(text=repr(await reader.read(request, MOST, "the.field")))
        except HttpRefusal as refusal:
            return web.Response(text=f"{refusal.status} {refusal.message}")

    server = web.Server(answer, lingering_time=0)
    serving = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield reader, serving.sockets[0].getsockname()[1]
    finally:
        serving.close()
        await server.shutdown(1)


async def post(port: int, *lines: str, body: bytes = b"") -> str:
    """Return what a request is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = ["POST / HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""]
    writer.write("\r\n".join(head).encode() + body)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.rpartition(b"\r\n\r\n")[2].decode()


async def test_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    chunked = "Transfer-Encoding: chunked"
    async with bodies() as (reader, port):
        assert await post(port, "Content-Length: 7", body=b'{"a":1}') == "{'a': 1}"
        whole = await post(port, chunked, body=b"2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n")
        assert whole == "[1]"
        for lines, body, words in (
            (["Content-Length: 101"], b"", "413 Payload too large: a body has at most 100 bytes"),
            ([chunked], b"65\r\n" + b" " * 101 + b"\r\n0\r\n\r\n", "413 Payload too large"),
            (["Content-Length: 1"], b"{", "400 the body is no JSON"),
            (["Content-Length: 80"], b"[" * 80, "400 the body is no JSON"),
            ([], b"", "400 the body is no JSON"),
            (["Content-Length: 2", "Expect: tea"], b"{}", "417 the only expectation"),
        ):
            assert (await post(port, *lines, body=body)).startswith(words), words
        monkeypatch.setattr(json_bodies, "MAX_HELD_BYTES", 6)
        assert (await post(port, "Content-Length: 7", body=b'{"a":1}')).startswith("503 ")
        monkeypatch.setattr(json_bodies, "BODY_SECONDS", 0.01)
        assert (await post(port, "Content-Length: 7", body=b"{")).startswith("408 ")
        assert reader.held == 0


async def test_a_large_body_has_a_limit_of_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_bodies, "LARGE_BYTES", 1)
    monkeypatch.setattr(json_bodies, "MAX_VALUES", 5)
    async with bodies() as (_, port):
        for body, words in (
            (b"[[],{}]", "[[], {}]"),
            (b'["[[,,[,[",""]', "['[[,,[,[', '']"),
            (b"[[],[],[]]", "413 Payload too large: a body has at most 5 values"),
            (b"[1,2,3,4,5,6]", "413 Payload too large: a body has at most 5 values"),
        ):
            assert await post(port, f"Content-Length: {len(body)}", body=body) == words


@pytest.mark.parametrize("ok", [True, False])
async def test_of_large_bodies_the_loop_takes_one_step_in_a_turn(
    ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four that are there at once keep nobody else waiting for all four."""
    loop = asyncio.get_running_loop()
    turn, steps = 0, list[tuple[str, int]]()

    def count() -> None:
        nonlocal turn
        turn += 1
        loop.call_soon(count)

    def noted(name: str, step: Callable[[bytes], object]) -> Callable[[bytes], object]:
        def done(text: bytes) -> object:
            steps.append((name, turn))
            return step(text)

        return done

    monkeypatch.setattr(json_bodies, "decode_shallow", noted("decode", decode_json))
    monkeypatch.setattr(json_bodies, "require_shallow", noted("count", require_shallow))
    reader = JsonBodies()
    body = b'["%b"%b' % (b"x" * json_bodies.LARGE_BYTES, b"]" if ok else b"")
    loop.call_soon(count)
    found = await asyncio.gather(
        *(reader.read(request_with(body), len(body), "field") for _ in range(4)),
        return_exceptions=True,
    )
    assert [isinstance(each, list) for each in found] == [ok] * 4
    assert [name for name, _ in steps] == ["count", "decode"] * 4
    turns = [turn for _, turn in steps]
    assert len(set(turns)) == 8  # one step of one of them in each turn
    assert turns == sorted(turns)
    assert reader.held == 0


def request_with(body: bytes) -> web.BaseRequest:
    """Return a request whose body has come."""
    stream = StreamReader(mock.Mock(_reading_paused=False), 1 << 20)
    stream.feed_data(body)
    stream.feed_eof()
    return make_mocked_request("POST", "/", payload=stream)

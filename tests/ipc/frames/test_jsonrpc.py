"""JSON-RPC 2.0 of older gateways becomes our own frames; everything else stays unknown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from ipc.errors import RemoteError
from ipc.frames.jsonrpc import read
from ipc.frames.websocket import Event, Response
from ipc.websocket.client import Client


def test_an_answer_and_its_payload() -> None:
    frame = read('{"jsonrpc":"2.0","id":7,"result":{"a":1}}')
    assert isinstance(frame, Response)
    assert (frame.id, frame.ok) == (7, True)
    assert isinstance(frame.payload, msgspec.Raw)
    assert bytes(frame.payload) == b'{"a":1}'


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ('{"code":-32601,"message":"Method not found"}', "-32601: Method not found"),
        ('{"code":-32000}', "-32000: failed without a reason"),
        ("{}", "0: failed without a reason"),
    ],
)
def test_an_error_has_always_a_text(error: str, text: str) -> None:
    frame = read(f'{{"jsonrpc":"2.0","id":"7","error":{error}}}')
    assert isinstance(frame, Response)
    assert not frame.ok
    assert f"{frame.error.code}: {frame.error.message}" == text  # type: ignore[union-attr]


def test_a_notification_is_an_event() -> None:
    frame = read('{"jsonrpc":"2.0","method":"chat","params":[1]}')
    assert isinstance(frame, Event)
    assert frame.event == "chat"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"id":1,"result":1}',
        '{"jsonrpc":"1.0","id":1,"result":1}',
        '{"jsonrpc":"2.0"}',
        '{"jsonrpc":"2.0","method":""}',
        '{"jsonrpc":"2.0","id":1,"method":"do.this"}',
        "[" * 100_000,
    ],
)
def test_what_is_neither_is_unknown(text: str) -> None:
    assert read(text) is None


@given(st.binary() | st.text())
def test_nothing_that_may_come_raises(data: bytes | str) -> None:
    assert read(data) is None or data


@asynccontextmanager
async def old_gateway() -> AsyncIterator[str]:
    """Serve a gateway that greets as today's and answers in JSON-RPC 2.0."""

    async def meet(connection: ServerConnection) -> None:
        async def say(**frame: Any) -> None:
            await connection.send(msgspec.json.encode(frame).decode())

        await say(type="event", event="connect.challenge", payload={"nonce": "n"})
        async for text in connection:
            request = msgspec.json.decode(text)
            if request["method"] == "connect":
                await say(type="res", id=request["id"], ok=True, payload={"protocol": 3})
                await say(jsonrpc="2.0", method="notice", params={"text": "hello"})
            elif request["method"] == "good":
                await say(jsonrpc="2.0", id=request["id"], result={"fine": True})
            else:
                await say(jsonrpc="2.0", id=request["id"], error={"code": -32601, "message": "no"})

    async with serve(meet, "127.0.0.1", 0, ping_interval=None) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def test_a_client_understands_an_older_gateway() -> None:
    heard: asyncio.Queue[Event] = asyncio.Queue()
    async with old_gateway() as url:
        client = await Client.connect(url, on_event=heard.put_nowait)
        assert await client.call("good") == {"fine": True}
        with pytest.raises(RemoteError, match="-32601: no"):
            await client.call("bad")
        event = await heard.get()
        assert event.event == "notice"
        assert client.malformed == 0
        await client.close()

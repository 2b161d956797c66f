"""One connection at a time, to a gateway of which each frame is the test's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from ipc.nesting import decode_json
from tests.support.web_server import serving
from workers.channels.discord import gateway
from workers.channels.discord.gateway import ConnectionEnd, GatewayConnection
from workers.channels.discord.session import BotSession, DiscordCursor
from workers.web.faults import Unreachable

Serve = Callable[[web.WebSocketResponse], Awaitable[Any]]
ROOT = "http://here"


@asynccontextmanager
async def gateway_that(serve: Serve) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await serve(ws)
        return ws

    app = web.Application()
    app.router.add_get("/", handle)
    async with serving(app) as address:
        yield f"ws://{address}"


class OneConnection:
    """What a connection has taken, and how it has ended."""

    def __init__(self, session: BotSession) -> None:
        self.session = session
        self.taken: list[str] = []
        self.answers = 0
        self.taking = asyncio.Event()
        self.taking.set()

    async def on_event(self, name: str, data: msgspec.Raw) -> None:
        self.taken.append(name)
        await self.taking.wait()

    def on_alive(self) -> None:
        self.answers += 1

    async def run(self, url: str) -> ConnectionEnd:
        connection = GatewayConnection(self.session, "token", self.on_event, self.on_alive)
        async with aiohttp.ClientSession() as http:
            return await connection.run(http, url)


def one_connection(session: str = "") -> OneConnection:
    return OneConnection(BotSession(DiscordCursor(ROOT, session, "ws://g", 5)))


async def greet(ws: web.WebSocketResponse, interval: float = 41_250) -> Any:
    await ws.send_json({"op": 10, "d": {"heartbeat_interval": interval}})
    return await next_frame(ws, 2, 6)


async def next_frame(ws: web.WebSocketResponse, *ops: int) -> Any:
    """Return the next frame of one of these kinds."""
    while (frame := decode_json(await ws.receive_str()))["op"] not in ops:
        pass
    return frame


def dispatch(name: str, seq: int, **data: Any) -> dict[str, Any]:
    return {"op": 0, "t": name, "s": seq, "d": data}


async def test_it_begins_a_session_and_counts_its_events() -> None:
    async def serve(ws: web.WebSocketResponse) -> None:
        assert (await greet(ws))["op"] == 2
        ready = {"session_id": "new", "resume_gateway_url": "ws://resume", "guilds": []}
        await ws.send_json(dispatch("READY", 1, **ready))
        await ws.send_json(dispatch("MESSAGE_CREATE", 2))
        await ws.send_json({"op": 1, "d": None})
        assert await next_frame(ws, 1) == {"op": 1, "d": 2}
        await ws.close(code=4000)

    one = one_connection()
    async with gateway_that(serve) as url:
        ended = await one.run(url)
    assert (ended.code, ended.routine) == (4000, False)
    assert one.taken == ["READY", "MESSAGE_CREATE"]
    assert (one.session.id, one.session.seq, one.session.url) == ("new", 2, "ws://resume")


@pytest.mark.parametrize(("resumable", "kept"), [(True, "old"), (False, "")])
async def test_a_session_that_is_refused_is_forgotten_unless_it_can_go_on(
    resumable: bool, kept: str
) -> None:
    async def serve(ws: web.WebSocketResponse) -> None:
        assert (await greet(ws))["d"] == {"token": "token", "session_id": "old", "seq": 5}
        await ws.send_json({"op": 9, "d": resumable})
        await ws.receive()

    one = one_connection("old")
    async with gateway_that(serve) as url:
        ended = await one.run(url)
    assert 1 <= ended.wait <= 5
    assert one.session.id == kept


@pytest.mark.parametrize("code", [4003, 4007, 4009])
async def test_some_codes_forget_the_session(code: int) -> None:
    async def serve(ws: web.WebSocketResponse) -> None:
        await greet(ws)
        await ws.close(code=code)

    one = one_connection("old")
    async with gateway_that(serve) as url:
        assert (await one.run(url)).code == code
    assert one.session.id == ""


async def test_it_leaves_with_a_code_that_keeps_the_session() -> None:
    codes: list[int | None] = []

    async def serve(ws: web.WebSocketResponse) -> None:
        await greet(ws)
        await ws.send_json({"op": 7, "d": None})
        await ws.receive()
        codes.append(ws.close_code)

    async with gateway_that(serve) as url:
        ended = await one_connection("old").run(url)
    assert ended.routine
    assert codes == [4000]


async def test_a_heartbeat_without_an_answer_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "LEAST_INTERVAL", 0.01)
    monkeypatch.setattr(gateway, "CLOSE_SECONDS", 0.1)

    async def serve(ws: web.WebSocketResponse) -> None:
        await greet(ws, 50)
        await next_frame(ws, 1)
        await ws.send_json({"op": 11, "d": None})
        await next_frame(ws, 1)
        await asyncio.Event().wait()  # half open: nothing moves any more

    one = one_connection("old")
    async with gateway_that(serve) as url:
        ended = await one.run(url)
    assert "no answer to a heartbeat" in ended.text
    assert one.answers == 1
    assert one.session.id == "old"


async def test_heartbeats_go_out_while_an_event_waits_and_none_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "LEAST_INTERVAL", 0.01)
    one = one_connection("old")

    async def serve(ws: web.WebSocketResponse) -> None:
        await greet(ws, 20)
        one.taking.clear()
        await ws.send_json(dispatch("MESSAGE_CREATE", 6))
        for _ in range(5):
            await next_frame(ws, 1)
            await ws.send_json({"op": 11, "d": None})
        one.taking.set()
        await next_frame(ws, 1)
        await ws.close(code=4000)

    async with gateway_that(serve) as url:
        ended = await one.run(url)
    assert ended.code == 4000
    assert one.answers >= 5


async def test_a_greeting_that_leads_to_no_session_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "LEAST_INTERVAL", 0.01)
    monkeypatch.setattr(gateway, "CLOSE_SECONDS", 0.1)

    async def serve(ws: web.WebSocketResponse) -> None:
        await greet(ws, 10)
        while True:
            await next_frame(ws, 1)
            await ws.send_json({"op": 11, "d": None})

    async with gateway_that(serve) as url:
        assert "no session" in (await one_connection().run(url)).text


@pytest.mark.parametrize("first", ["[", '{"op":"x"}', '{"op":3}'])
async def test_another_protocol_is_no_gateway(first: str) -> None:
    async def serve(ws: web.WebSocketResponse) -> None:
        await ws.send_str(first)
        await ws.receive()

    one = one_connection()
    async with gateway_that(serve) as url:
        assert (await one.run(url)).text
    assert one.taken == []


async def test_a_gateway_that_does_not_greet_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "HELLO_SECONDS", 0.2)
    monkeypatch.setattr(gateway, "CLOSE_SECONDS", 0.1)

    async def serve(ws: web.WebSocketResponse) -> None:
        await asyncio.Event().wait()

    async with gateway_that(serve) as url:
        assert (await one_connection().run(url)).text == "the gateway has not sent Hello in time"


async def test_an_address_without_a_server_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        await one_connection().run("ws://127.0.0.2:9")

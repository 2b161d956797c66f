"""A fake platform over HTTP and WebSocket, and its faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.support.until import until
from workers.testing.fake import FakePlace
from workers.testing.faults import Fault
from workers.testing.http_fake import HttpFake


class Posts(HttpFake):
    """Takes posts, and pushes them to whoever listens."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []
        self.connected = asyncio.Event()

    def fields(self) -> Mapping[str, Any]:
        return {"server": self.url}

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.post("/post", self.on_post), web.get("/socket", self.on_socket)]

    async def on_post(self, request: web.Request) -> web.StreamResponse:
        self.taken.append(await request.text())
        return web.Response(text="taken")

    async def on_socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connected.set()
        async for _ in socket:
            pass
        return socket

    async def say(self, text: str) -> None:
        self.taken += [text] * self.copies()

    def heard(self) -> Sequence[str]:
        return self.taken


@asynccontextmanager
async def posts() -> AsyncIterator[tuple[Posts, aiohttp.ClientSession]]:
    fake = Posts()
    fields = await fake.start(FakePlace(Path(), "it", Path()))
    async with aiohttp.ClientSession(fields["server"]) as session:
        try:
            yield fake, session
        finally:
            await session.close()
            await fake.close()


REFUSALS = [("rate_limited", 429, "7"), ("unauthorized", 401, None), ("conflict", 409, None)]


@pytest.mark.parametrize(("kind", "status", "after"), REFUSALS)
async def test_a_refusal_happens_as_often_as_it_should(
    kind: Any, status: int, after: str | None
) -> None:
    async with posts() as (fake, session):
        await fake.fail(Fault(kind, times=1, seconds=7))
        async with session.post("/post", data="a") as refused:
            assert (refused.status, refused.headers.get("Retry-After")) == (status, after)
        async with session.post("/post", data="b") as taken:
            assert taken.status == 200
        assert (fake.heard(), fake.turned_away) == (["b"], 1)


async def test_an_outage_cuts_what_is_open_and_what_comes_until_it_is_healed() -> None:
    async with posts() as (fake, session):
        async with session.ws_connect("/socket") as socket:
            await fake.connected.wait()
            await fake.fail(Fault("outage"))
            assert (await socket.receive()).type in (
                aiohttp.WSMsgType.CLOSED,
                aiohttp.WSMsgType.ERROR,
            )
        with pytest.raises(aiohttp.ClientError):
            await session.post("/post", data="a")
        assert fake.turned_away >= 1  # aiohttp itself tries again where a connection was reused
        await fake.heal()
        async with session.post("/post", data="b"):
            assert fake.heard() == ["b"]


async def test_a_half_open_connection_gives_no_answer_until_it_is_cut() -> None:
    async with posts() as (fake, session):
        await fake.fail(Fault("half_open"))
        asking = asyncio.create_task(session.post("/post", data="a"))
        await until(lambda: fake.turned_away)
        assert fake.frozen
        assert not asking.done()
        await fake.heal()
        with pytest.raises(aiohttp.ClientError):
            await asking
        assert fake.heard() == []


async def test_what_is_unanswered_was_taken() -> None:
    async with posts() as (fake, session):
        await fake.fail(Fault("unanswered", times=1))
        with pytest.raises(aiohttp.ClientError):
            await session.post("/post", data="a")
        assert fake.heard() == ["a"]


async def test_a_slow_answer_comes_in_the_end_and_is_no_refusal() -> None:
    async with posts() as (fake, session):
        await fake.fail(Fault("slow", times=1, seconds=0.01))
        async with session.post("/post", data="a") as answer:
            assert await answer.text() == "taken"
        assert fake.turned_away == 0


async def test_a_duplicate_is_delivered_twice_and_no_request_meets_it() -> None:
    async with posts() as (fake, session):
        await fake.fail(Fault("duplicate", times=1))
        async with session.post("/post", data="a") as taken:
            assert taken.status == 200
        await fake.say("b")
        await fake.say("c")
        assert fake.heard() == ["a", "b", "b", "c"]

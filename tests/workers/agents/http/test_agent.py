"""The agent against a real server: signed turns out, JSON and streams back, each fault by class."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.agents import agent_of, asked, events_of, failure_of_turn, text_of
from tests.workers.channels.webhook.peer import OTHER, SECRET, verified
from workers.agent import Delta, Final, ToolCall
from workers.agents.answers import BrokenAnswer
from workers.agents.http import manifest
from workers.errors import Misconfigured, RateLimited, Transient, TurnRefused
from workers.testing.http_fake import abort

EVENTS = b"""data: {"type":"delta","text":"one "}

data: {"type":"toolCall","id":"1","name":"f"}

data: {"type":"final","stopReason":"stop"}

"""
DELTA = b'data: {"type":"delta","text":"x"}\n\n'


@dataclass
class Server:
    """Answers as it is told, and remembers what came. ``then``: cut, hang, or flood with body."""

    status: int = 200
    body: bytes = b'{"text":"well"}'
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    then: str = ""
    wait: float = 0.0
    seen: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((await request.read(), dict(request.headers)))
        await asyncio.sleep(self.wait)
        head = {"Content-Type": self.type, **self.headers} if self.type else self.headers
        response = web.StreamResponse(status=self.status, headers=head)
        await response.prepare(request)
        try:
            await response.write(self.body)
            while self.then == "flood":
                await response.write(self.body * (1 + (1 << 16) // len(self.body)))
            if self.then == "cut":
                return abort(request)
            if self.then == "hang":
                await asyncio.Event().wait()
        finally:
            self.over.set()
        await response.write_eof()
        return response


@asynccontextmanager
async def rig(tmp_path: Path, server: Server, **config: Any) -> AsyncIterator[Any]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", server.answer)
    async with TestServer(app, handler_cancellation=True, shutdown_timeout=0.1) as running:
        url = f"http://127.0.0.1:{running.port}/turn"
        fields = {"url": url, "secret": SECRET, "allowPrivate": True} | config
        async with agent_of(manifest, tmp_path, fields) as agent:
            yield agent


async def test_a_turn_is_posted_signed_and_under_its_run(tmp_path: Path) -> None:
    server = Server()
    async with rig(tmp_path, server, previousSecret=OTHER) as agent:
        for _ in range(2):
            assert await events_of(agent, asked("hi")) == [Final("well")]
    for body, headers in server.seen:
        assert verified(body, headers)["data"]["text"] == "hi"
        assert verified(body, headers, OTHER)["type"] == "turn"
        assert headers["webhook-id"] == "r1"


async def test_a_stream_is_yielded_as_it_comes(tmp_path: Path) -> None:
    server = Server(body=EVENTS, type="text/event-stream; charset=utf-8", then="hang")
    async with rig(tmp_path, server) as agent:
        assert await events_of(agent, asked()) == [
            Delta("one "),
            ToolCall("1", "f"),
            Final(stop_reason="stop"),
        ]


async def test_a_stream_may_end_as_others_do_and_no_content_is_silence(tmp_path: Path) -> None:
    done = Server(body=DELTA + b"data: [DONE]\n\n", type="text/event-stream")
    async with rig(tmp_path, done) as agent:
        assert await events_of(agent, asked()) == [Delta("x"), Final()]
    async with rig(tmp_path, Server(status=204, body=b"", type="")) as agent:
        assert await events_of(agent, asked()) == [Final("")]


STREAM = "text/event-stream"
ROWS: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("401", {"status": 401}, Misconfigured, "check url and secret"),
    ("400", {"status": 400, "body": b"no such tool"}, TurnRefused, "no such tool"),
    ("429", {"status": 429, "headers": {"Retry-After": "7"}}, RateLimited, "HTTP 429"),
    ("503", {"status": 503, "headers": {"Retry-After": "7"}}, Transient, "HTTP 503"),
    ("redirect", {"status": 307, "headers": {"Location": "/x"}}, Misconfigured, "redirects"),
    ("html", {"type": "text/html", "body": b"<html>"}, Misconfigured, "text/html"),
    ("201", {"status": 201}, Misconfigured, "HTTP 201"),
    ("not JSON", {"body": b"hello"}, BrokenAnswer, "not JSON"),
    ("NULs", {"body": b"\0" * 99}, BrokenAnswer, "not JSON"),
    ("nothing", {"body": b""}, BrokenAnswer, "not JSON"),
    ("half", {"body": b'{"text":"a', "then": "cut"}, Transient, "closed the connection"),
    ("hangs", {"body": b'{"text":"a', "then": "hang"}, Transient, "no answer in time"),
    ("never begins", {"wait": 30}, Transient, "no answer in time"),
    ("floods", {"body": b" " * 900, "then": "flood"}, BrokenAnswer, "longer than 2000 bytes"),
    ("compressed", {"headers": {"Content-Encoding": "gzip"}}, BrokenAnswer, "compressed answer"),
    ("no end", {"type": STREAM, "body": DELTA}, Transient, "before the final event"),
    ("empty stream", {"type": STREAM, "body": b""}, Transient, "before the final event"),
    ("cut", {"type": STREAM, "body": DELTA, "then": "cut"}, Transient, "closed the connection"),
    ("silent", {"type": STREAM, "body": DELTA, "then": "hang"}, Transient, "no answer in time"),
    ("words", {"type": STREAM, "body": DELTA, "then": "flood"}, BrokenAnswer, "longer than"),
    ("comments", {"type": STREAM, "body": b": x\n", "then": "flood"}, BrokenAnswer, "longer than"),
    ("no newline", {"type": STREAM, "body": b"x", "then": "flood"}, BrokenAnswer, "longer than"),
    ("garbage", {"type": STREAM, "body": b"data: x\n\n"}, BrokenAnswer, "not JSON"),
    (
        "reported",
        {"body": b'{"type":"error","kind":"rate_limited","retryAfter":7,"message":"slow"}'},
        RateLimited,
        "slow",
    ),
]


@pytest.mark.parametrize(
    ("answer", "kind", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
async def test_a_fault_ends_the_turn_with_its_class(
    tmp_path: Path, answer: dict[str, Any], kind: type[Exception], words: str
) -> None:
    server = Server(**answer)
    async with rig(tmp_path, server, silentSeconds=0.3, maxAnswerBytes=2000) as agent:
        error = await failure_of_turn(agent, asked())
        assert type(error) is kind, repr(error)
        assert words in str(error)
        assert len(server.seen) == 1
        if "Retry-After" in server.headers:
            assert isinstance(error, Transient)
            assert error.retry_after == 7


@pytest.mark.parametrize(
    ("url", "private", "kind", "words"),
    [
        ("http://127.0.0.1:1/", True, Transient, "Connection refused by 127.0.0.1:1"),
        ("http://localhost:1/", False, Misconfigured, "set allowPrivate"),
    ],
)
async def test_a_server_that_is_not_reached(
    tmp_path: Path, url: str, private: bool, kind: type[Exception], words: str
) -> None:
    fields = {"url": url, "secret": SECRET, "allowPrivate": private}
    async with agent_of(manifest, tmp_path, fields) as agent:
        error = await failure_of_turn(agent, asked())
        assert type(error) is kind
        assert words in str(error)


async def test_a_proxy_is_asked_instead(tmp_path: Path) -> None:
    proxy = Server(body=b'{"text":"from the proxy"}')
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", proxy.answer)
    async with TestServer(app) as running:
        fields = {"url": "http://no-such-host.example/turn", "secret": SECRET}
        address = f"http://127.0.0.1:{running.port}"
        async with agent_of(manifest, tmp_path, fields, proxy=address) as agent:
            assert text_of(await events_of(agent, asked())) == "from the proxy"
    assert proxy.seen[0][1]["Host"] == "no-such-host.example"


async def test_a_turn_that_is_cancelled_closes_its_connection(tmp_path: Path) -> None:
    server = Server(type=STREAM, body=DELTA, then="hang")
    async with rig(tmp_path, server) as agent:
        begun = asyncio.Event()

        async def answer() -> None:
            async with aclosing(agent.turn(asked())) as events:
                async for _ in events:
                    begun.set()

        task = asyncio.create_task(answer())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            await server.over.wait()

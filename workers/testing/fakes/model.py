"""Serves the chat completions API for tests: scripted answers and every kind of failure.

After https://platform.openai.com/docs/api-reference/chat. A test queues answers; without one the
last words of the request may name it (``!say:``, ``!tool:``, ``!fail:`` …, see ``asked_for``), so
that a person in a chat can ask for a fault too.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from ipc.nesting import decode_json
from workers.testing.http_fake import abort

Json = dict[str, Any]

KEY = "sk-fake"
MODEL = "fake-1"
CREATED = 1_700_000_000
_DIRECTIVE = re.compile(r"!(say|slow|tool|fail|cut|hang|length|filter|empty|flood)(?::([^\n]*))?")
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class ModelAnswer:
    """What one request is answered with.

    ``pieces`` is the text, in the chunks of a stream; ``delay`` seconds stand before each.
    ``tools`` are names and arguments of calls. ``status`` other than 200 refuses, with ``error``
    as the body. After the pieces ``then`` may ``cut`` the connection, ``hang`` for ever, or
    ``flood`` for ever. ``raw`` is sent instead of all that. ``wait``: seconds before anything.
    """

    pieces: Sequence[str] = ("pong",)
    finish: str | None = "stop"
    tools: Sequence[tuple[str, str]] = ()
    delay: float = 0.0
    wait: float = 0.0
    status: int = 200
    error: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    then: str = ""
    raw: bytes | None = None
    content_type: str = ""

    @property
    def usage(self) -> Json:
        """What it costs: of 100 tokens of the prompt 40 were in a cache."""
        made = len(self.pieces) + len(self.tools)
        return {
            "prompt_tokens": 100,
            "completion_tokens": made,
            "total_tokens": 100 + made,
            "prompt_tokens_details": {"cached_tokens": 40},
        }


class FakeModel:
    """The server. ``requests`` are the bodies that came, ``headers`` their headers.

    ``script`` holds the next answers, ``turned_away`` counts requests with a wrong key. ``over`` is
    set once a connection was closed while it hung or flooded: the client has given up.
    """

    def __init__(self, key: str | None = None) -> None:
        self.base = ""
        self.key = key
        self.requests: list[Json] = []
        self.headers: list[Mapping[str, str]] = []
        self.script: deque[ModelAnswer] = deque()
        self.turned_away = 0
        self.over = asyncio.Event()
        self._numbers = itertools.count(1)

    def queue(self, **answer: Any) -> None:
        """Queue an answer, by the fields of ``ModelAnswer``."""
        self.script.append(ModelAnswer(**answer))

    async def on_models(self, request: web.Request) -> web.StreamResponse:
        """List the only model."""
        return _json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def on_completion(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for a completion."""
        self.headers.append(request.headers)
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            self.turned_away += 1
            return _json(401, _error("Incorrect API key provided.", "invalid_api_key"))
        body: Json = decode_json(await request.read())
        self.requests.append(body)
        answer = self.script.popleft() if self.script else asked_for(_last_words(body))
        await asyncio.sleep(answer.wait)
        if answer.raw is not None or answer.then == "flood":
            return await self._raw(request, answer)
        if answer.status != 200:
            error = (
                _error(f"made up by the test: {answer.status}")
                if answer.error is None
                else (answer.error)
            )
            return _json(answer.status, error, answer.headers)
        if not body.get("stream"):
            return await self._whole(request, body, answer)
        return await self._stream(request, body, answer)

    async def _whole(
        self, request: web.Request, body: Json, answer: ModelAnswer
    ) -> web.StreamResponse:
        if answer.then:
            return await self._fail(request, answer)
        message: Json = {"role": "assistant", "content": "".join(answer.pieces) or None}
        if answer.tools:
            message["tool_calls"] = list(_calls(answer))
        choice = {"index": 0, "message": message, "finish_reason": answer.finish}
        head = self._head(body, "chat.completion")
        return _json(200, {**head, "choices": [choice], "usage": answer.usage}, answer.headers)

    async def _stream(
        self, request: web.Request, body: Json, answer: ModelAnswer
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": answer.content_type or "text/event-stream", **answer.headers}
        )
        await response.prepare(request)
        head = self._head(body, "chat.completion.chunk")

        async def send(delta: Json, finish: str | None = None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            await response.write(_event({**head, "choices": [choice]}))

        await send({"role": "assistant", "content": ""})
        for piece in answer.pieces:
            await asyncio.sleep(answer.delay)
            await send({"content": piece})
        if answer.then:
            return await self._fail(request, answer)
        for call in _calls(answer):
            function = call["function"]
            arguments = function["arguments"]
            half = len(arguments) // 2
            begun = {**call, "function": {**function, "arguments": arguments[:half]}}
            rest = {"index": call["index"], "function": {"arguments": arguments[half:]}}
            await send({"tool_calls": [begun]})
            await send({"tool_calls": [rest]})
        await send({}, answer.finish)
        if (body.get("stream_options") or {}).get("include_usage"):
            await response.write(_event({**head, "choices": [], "usage": answer.usage}))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _raw(self, request: web.Request, answer: ModelAnswer) -> web.StreamResponse:
        response = web.StreamResponse(
            status=answer.status,
            headers={"Content-Type": answer.content_type or "text/event-stream", **answer.headers},
        )
        await response.prepare(request)
        if answer.raw is not None:
            await response.write(answer.raw)
        if answer.then == "flood":
            return await self._flood(response, answer)
        if answer.then:
            return await self._fail(request, answer)
        await response.write_eof()
        return response

    async def _flood(self, response: web.StreamResponse, answer: ModelAnswer) -> web.StreamResponse:
        """Send the pieces again and again, each as it is, until the client has had enough."""
        piece = "".join(answer.pieces).encode() * (1 + (1 << 16) // len("".join(answer.pieces)))
        try:
            while True:
                await response.write(piece)
        except (ConnectionError, asyncio.CancelledError):
            self.over.set()
            raise

    async def _fail(self, request: web.Request, answer: ModelAnswer) -> web.StreamResponse:
        if answer.then == "cut":
            return abort(request)
        try:
            await asyncio.Event().wait()
        finally:
            self.over.set()
        raise AssertionError("nothing ends this wait")

    def _head(self, body: Json, kind: str) -> Json:
        number = next(self._numbers)
        model = body.get("model")
        return {"id": f"chatcmpl-{number}", "object": kind, "created": CREATED, "model": model}


def asked_for(text: str) -> ModelAnswer:
    """Return the answer that the last directive in a text asks for; ``pong`` without any.

    ``!say:TEXT``, ``!slow:SECONDS`` (between words), ``!tool:NAME:{json}``, ``!fail:STATUS``,
    ``!cut``, ``!hang``, ``!length``, ``!filter``, ``!empty``, ``!flood``.
    """
    found = _DIRECTIVE.findall(text)
    if not found:
        return ModelAnswer()
    word, rest = found[-1]
    match word:
        case "say":
            return ModelAnswer(re.findall(r"\S+\s*", rest))
        case "slow":
            return ModelAnswer(["one ", "two ", "three"], delay=float(rest))
        case "tool":
            name, _, arguments = rest.partition(":")
            return ModelAnswer((), "tool_calls", [(name, arguments)])
        case "fail":
            return ModelAnswer(status=int(rest))
        case "length":
            return ModelAnswer(["cut ", "short"], "length")
        case "filter":
            return ModelAnswer(["well, "], "content_filter")
        case "empty":
            return ModelAnswer(())
        case "flood":
            return ModelAnswer(["data: x\n\n"], then="flood")
    return ModelAnswer(["one ", "two "], then=word)


@asynccontextmanager
async def fake_model(key: str | None = None) -> AsyncIterator[FakeModel]:
    """Serve on a free port of this host; ``base`` is the address. ``key``: it must be sent."""
    fake = FakeModel(key)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", fake.on_completion)
    app.router.add_get("/v1/models", fake.on_models)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.base = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield fake
    finally:
        await runner.cleanup()


def _calls(answer: ModelAnswer) -> Iterator[Json]:
    for index, (name, arguments) in enumerate(answer.tools):
        function = {"name": name, "arguments": arguments}
        yield {"index": index, "id": f"call_{index}", "type": "function", "function": function}


def _last_words(body: Json) -> str:
    """Return the text of the last message: a person's words, or the result of a tool."""
    content = (body.get("messages") or [{}])[-1].get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(each.get("text") or "" for each in content)


def _error(message: str, code: str | None = None) -> Json:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code}}


def _json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    body = _encode(value)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _event(value: Json) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"

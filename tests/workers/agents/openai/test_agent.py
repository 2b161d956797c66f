"""The agent against a fake endpoint: what it asks for, what it yields, how each fault ends it."""

from __future__ import annotations

import asyncio
import base64
import errno
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import agent_of, asked, events_of, failure_of_turn, text_of
from workers.agent import Delta, Final, ToolCall, Usage
from workers.agents.answers import BrokenAnswer
from workers.agents.openai import manifest
from workers.errors import (
    Misconfigured,
    NeedsLogin,
    RateLimited,
    Transient,
    TurnRefused,
    TurnTooLarge,
)
from workers.testing.fakes.model import FakeModel, fake_model

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LINE = ": " + "x" * 1000 + "\n"
DEEP = b"data: " + b"[" * 100_000 + b"\n\n"
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'


@asynccontextmanager
async def rig(tmp_path: Path, **config: Any) -> AsyncIterator[tuple[Any, FakeModel]]:
    async with fake_model() as fake:
        fields = {"model": "fake-1", "baseUrl": fake.base} | config
        async with agent_of(manifest, tmp_path, fields) as agent:
            yield agent, fake


async def test_a_stream_is_yielded_as_it_comes(tmp_path: Path) -> None:
    async with rig(tmp_path, apiKey="sk-1") as (agent, fake):
        fake.queue(pieces=["one ", "two\0"])
        assert await events_of(agent, asked()) == [
            Delta("one "),
            Delta("two"),
            Final(
                usage=Usage(input=60, output=2, cache_read=40), stop_reason="stop", model="fake-1"
            ),
        ]
        assert fake.headers[0]["Authorization"] == "Bearer sk-1"
        assert fake.requests[0]["messages"] == [{"role": "user", "content": "hello"}]


async def test_without_a_stream_the_answer_comes_at_once_and_without_a_key_none_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "of-the-environment")
    async with rig(tmp_path, stream=False) as (agent, fake):
        fake.queue(pieces=["one ", "two"])
        events = await events_of(agent, asked())
        assert events[:-1] == [Delta("one two")]
        assert "of-the-environment" not in str(fake.headers)
        assert "Authorization" not in fake.headers[0]
        assert "stream" not in fake.requests[0]


async def test_an_sdk_that_cannot_be_imported_fails_the_turn_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path) as (agent, fake):
        with monkeypatch.context() as broken:
            broken.setitem(sys.modules, "workers.agents.openai.endpoint", None)
            error = await failure_of_turn(agent, asked())
            assert isinstance(error, Misconfigured)
            assert "the openai SDK cannot be imported" in str(error)
        fake.queue(pieces=["hi"])
        assert text_of(await events_of(agent, asked())) == "hi"


async def test_an_endpoint_that_cannot_be_opened_now_is_opened_for_the_next_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: object, proxy: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async with rig(tmp_path) as (agent, fake):
        with monkeypatch.context() as broken:
            broken.setattr("workers.agents.openai.agent._open", fail)
            assert isinstance(await failure_of_turn(agent, asked()), OSError)
        fake.queue(pieces=["hi"])
        assert text_of(await events_of(agent, asked())) == "hi"


async def test_a_turn_that_is_cancelled_leaves_the_opening_to_the_others(tmp_path: Path) -> None:
    async with rig(tmp_path) as (agent, fake):
        first = asyncio.create_task(events_of(agent, asked()))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        fake.queue(pieces=["hi"])
        assert text_of(await events_of(agent, asked())) == "hi"
        assert len(fake.requests) == 1


async def test_a_server_that_knows_no_streams_is_understood(tmp_path: Path) -> None:
    async with rig(tmp_path) as (agent, fake):
        whole = b'{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]}'
        fake.queue(raw=whole, content_type="application/json")
        assert text_of(await events_of(agent, asked())) == "whole"


@pytest.mark.parametrize("stream", [True, False])
async def test_tools_go_as_they_came_and_calls_are_yielded(tmp_path: Path, stream: bool) -> None:
    tools = [{"type": "function", "function": {"name": "f", "strange": {"x": [1]}}}]
    async with rig(tmp_path, stream=stream) as (agent, fake):
        fake.queue(
            pieces=(), tools=[("f", '{"city":"Rome"}'), ("g", "{broken")], finish="tool_calls"
        )
        events = await events_of(agent, asked(tools=tools, tool_choice="required"))
        assert events[:-1] == [
            ToolCall("call_0", "f", {"city": "Rome"}),
            ToolCall("call_1", "g", "{broken"),
        ]
        assert isinstance(events[-1], Final)
        assert events[-1].stop_reason == "tool_calls"
        assert (fake.requests[0]["tools"], fake.requests[0]["tool_choice"]) == (tools, "required")


async def test_images_are_shown_and_other_files_are_named(tmp_path: Path) -> None:
    async with rig(tmp_path) as (agent, fake):
        media = agent.ctx.media
        image = await media.save(PNG, name="a.png")
        other = await media.save(b"x,y", name="b.csv", type="text/csv")
        gone = media.missing("too large", name="c.png", type="image/png")
        await events_of(agent, asked("look", attachments=[image, other, gone]))
        words, shown = fake.requests[0]["messages"][0]["content"]
        assert words["text"].splitlines() == [
            "look",
            "[file: b.csv, text/csv]",
            "[file that did not arrive: c.png, image/png]",
        ]
        assert (
            shown["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
        )


FAULTS: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("401", {"status": 401}, NeedsLogin, "apiKey"),
    ("403", {"status": 403}, Misconfigured, "check baseUrl"),
    ("404", {"status": 404}, Misconfigured, "check baseUrl"),
    ("429", {"status": 429, "headers": {"Retry-After": "7"}}, RateLimited, "429"),
    ("500", {"status": 500, "headers": {"Retry-After": "7"}}, Transient, "500"),
    ("400", {"status": 400}, TurnRefused, "made up"),
    ("400 as text", {"status": 400, "error": "nonsense"}, TurnRefused, "nonsense"),
    ("redirect", {"status": 307, "headers": {"Location": "/x"}}, Misconfigured, "redirects"),
    ("html", {"raw": b"<html>", "content_type": "text/html"}, Misconfigured, "text/html"),
    ("html 502", {"raw": b"<html>", "content_type": "text/html", "status": 502}, Transient, "502"),
    ("cut", {"pieces": ["one "], "then": "cut"}, Transient, "closed the connection"),
    ("cut at once", {"raw": b"", "then": "cut"}, Transient, "closed the connection"),
    ("empty", {"raw": b""}, Transient, "before its end"),
    ("only done", {"raw": b"data: [DONE]\n\n"}, Transient, "before its end"),
    ("no end", {"raw": WORD}, Transient, "before its end"),
    ("no finish", {"finish": None}, Transient, "before its end"),
    ("hang", {"then": "hang"}, Transient, "no answer in time"),
    ("never begins", {"wait": 30}, Transient, "no answer in time"),
    ("garbage", {"raw": b"data: {nonsense\n\n"}, Transient, "not JSON"),
    ("no UTF-8", {"raw": b"data: \xff\xfe\n\n"}, Transient, "not JSON"),
    ("deep", {"raw": DEEP}, Transient, "not JSON"),
    ("NULs", {"raw": b"\0" * 5000 + b"\n\n"}, Transient, "before its end"),
    ("a list", {"raw": b"data: [1]\n\n"}, BrokenAnswer, "not a completion"),
    ("wrong types", {"raw": b'data: {"choices":[{"delta":"x"}]}\n\n'}, BrokenAnswer, "completion"),
    ("no newline", {"pieces": ["x"], "then": "flood"}, BrokenAnswer, "a line is longer"),
    (
        "comments",
        {"pieces": [LINE], "then": "flood"},
        BrokenAnswer,
        "more than",
    ),
    ("words", {"pieces": [WORD.decode()], "then": "flood"}, BrokenAnswer, "longer than 2000"),
    ("filter", {"finish": "content_filter"}, TurnRefused, "content filter"),
    (
        "too long",
        {"status": 400, "error": {"error": {"message": "x", "code": "context_length_exceeded"}}},
        TurnTooLarge,
        "too long for the model",
    ),
    (
        "an error in the stream",
        {"raw": WORD + b'data: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}\n\n'},
        RateLimited,
        "slow down",
    ),
    (
        "compressed",
        {"raw": b"\x1f\x8b", "headers": {"Content-Encoding": "gzip"}},
        BrokenAnswer,
        "compressed answer",
    ),
]


@pytest.mark.parametrize(
    ("answer", "kind", "words"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
async def test_a_fault_ends_the_turn_with_its_class_and_without_a_second_try(
    tmp_path: Path, answer: dict[str, Any], kind: type[Exception], words: str
) -> None:
    async with rig(tmp_path, silentSeconds=0.3, maxAnswerBytes=2000) as (agent, fake):
        fake.queue(**answer)
        error = await failure_of_turn(agent, asked())
        assert type(error) is kind, repr(error)
        assert words in str(error)
        assert len(fake.requests) == 1
        if "Retry-After" in answer.get("headers", {}):
            assert isinstance(error, Transient)
            assert error.retry_after == 7
        fake.queue(pieces=["well again"])
        assert text_of(await events_of(agent, asked())) == "well again"


async def test_an_endpoint_that_is_not_there_is_transient(tmp_path: Path) -> None:
    fields = {"model": "m", "baseUrl": "http://127.0.0.1:1/v1"}
    async with agent_of(manifest, tmp_path, fields) as agent:
        error = await failure_of_turn(agent, asked())
        assert isinstance(error, Transient)
        assert str(error) == "the endpoint: Connection refused by 127.0.0.1:1"


async def test_a_turn_that_is_cancelled_closes_its_connection(tmp_path: Path) -> None:
    async with rig(tmp_path) as (agent, fake):
        fake.queue(pieces=["one "], then="hang")
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
            await fake.over.wait()

"""The fake endpoint, as the official client sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from workers.testing.fakes.model import KEY, FakeModel, ModelAnswer, asked_for, fake_model


async def told(client: AsyncOpenAI, text: str, **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return await client.chat.completions.create(model="fake-1", messages=messages, **more)


def client_of(fake: FakeModel, key: str = KEY) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=fake.base, api_key=key, max_retries=0, timeout=10)


async def test_the_official_client_reads_answers_streams_and_calls() -> None:
    async with fake_model(KEY) as fake, client_of(fake) as client:
        whole = await told(client, "hi")
        assert whole.choices[0].message.content == "pong"
        assert whole.usage.prompt_tokens_details.cached_tokens == 40
        stream = await told(
            client, '!tool:f:{"a":1}', stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        calls = [call for delta in deltas for call in delta.tool_calls or []]
        assert "".join(call.function.arguments for call in calls) == '{"a":1}'
        assert calls[0].function.name == "f"
        assert chunks[-1].usage.total_tokens == 101
        assert [model.id async for model in client.models.list()] == ["fake-1"]
        assert len(fake.requests) == 2
        await asyncio.sleep(0)  # what the client leaves to the loop when a stream has ended


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("!fail:429", openai.RateLimitError),
        ("!fail:500", openai.InternalServerError),
        ("!cut", openai.APIConnectionError),
    ],
)
async def test_faults_are_what_the_official_client_raises(
    text: str, raised: type[Exception]
) -> None:
    async with fake_model() as fake, client_of(fake) as client:
        with pytest.raises(raised):
            await told(client, text)


async def test_a_wrong_key_is_turned_away() -> None:
    async with fake_model(KEY) as fake, client_of(fake, "sk-other") as client:
        with pytest.raises(openai.AuthenticationError):
            await told(client, "hi")
        assert (fake.turned_away, fake.requests) == (1, [])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello", ModelAnswer()),
        ("!say:one two\nmore", ModelAnswer(["one ", "two"])),
        ("!say:a !say:b", ModelAnswer(["a ", "!say:b"])),
        ("!slow:0.5", ModelAnswer(["one ", "two ", "three"], delay=0.5)),
        ("!tool:f:{}", ModelAnswer((), "tool_calls", [("f", "{}")])),
        ("!fail:503", ModelAnswer(status=503)),
        ("!hang", ModelAnswer(["one ", "two "], then="hang")),
        ("!length", ModelAnswer(["cut ", "short"], "length")),
        ("!filter", ModelAnswer(["well, "], "content_filter")),
        ("!empty", ModelAnswer(())),
    ],
)
def test_words_ask_for_an_answer(text: str, answer: ModelAnswer) -> None:
    assert asked_for(text) == answer


async def test_a_queued_answer_comes_first() -> None:
    async with fake_model() as fake, client_of(fake) as client:
        fake.queue(pieces=["queued"])
        assert (await told(client, "!say:other")).choices[0].message.content == "queued"
        assert (await told(client, "!say:other")).choices[0].message.content == "other"

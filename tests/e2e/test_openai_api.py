"""The official client of the OpenAI API talks to agents of the real daemon, as to any endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.support.daemon import TOKEN, Daemon
from tests.support.until import until
from workers.testing.fakes.model import FakeModel, fake_model

pytestmark = pytest.mark.e2e

ON = {"enabled": True}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # noqa: E501


def config(base: str) -> dict[str, Any]:
    main = {"kind": "openai", "baseUrl": base, "model": "fake-1"}
    return {
        "agents": {"default": "main", "entries": {"main": main}},
        "gateway": {"http": {"endpoints": {"chatCompletions": ON, "responses": ON}}},
        "channels": {"local": {"accounts": {"a": {}}}},
    }


def user(text: str) -> Any:
    return {"role": "user", "content": text}


async def test_the_official_client_gets_answers_streams_tools_images_and_errors(
    tmp_path: Path,
) -> None:
    async with fake_model() as model, Daemon(tmp_path, config(model.base)) as daemon:
        await daemon.wait(lambda found: found["agents"][0]["phase"] == "running")
        base = f"http://127.0.0.1:{daemon.port}/v1"
        async with AsyncOpenAI(api_key=TOKEN, base_url=base, max_retries=0) as client:
            await talks(client)
            await calls_tools(client, model)
            await shows_images(client, model)
            await fails(client)
            await leaves(client, model)
        async with AsyncOpenAI(api_key="wrong", base_url=base, max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()


async def talks(client: AsyncOpenAI) -> None:
    """Ask in every way in which an answer in words may come."""
    assert [each.id async for each in client.models.list()][-1] == "openclaw/main"
    assert (await client.models.retrieve("openclaw/main")).id == "openclaw/main"
    whole = await client.chat.completions.create(
        model="openclaw/main", messages=[user("!say:Hi there.")]
    )
    assert whole.choices[0].message.content == "Hi there."
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.total_tokens) == (100, 102)
    async with client.chat.completions.stream(
        model="openclaw", messages=[user("!say:one two three")]
    ) as stream:
        pieces = [each.delta async for each in stream if each.type == "content.delta"]
        final = await stream.get_final_completion()
    assert "".join(pieces) == final.choices[0].message.content == "one two three"
    response = await client.responses.create(model="openclaw", input="!say:Hello again.")
    assert (response.status, response.output_text) == ("completed", "Hello again.")
    async with client.responses.stream(
        model="openclaw", input="!say:four five", previous_response_id=response.id
    ) as answering:
        types = [each.type async for each in answering]
        last = await answering.get_final_response()
    assert types[0] == "response.created"
    assert last.output_text == "four five"


async def calls_tools(client: AsyncOpenAI, model: FakeModel) -> None:
    """Give the model a tool; it calls it, and gets the result."""
    asked = [user('!tool:get_weather:{"city":"Rome"}')]
    called = await client.chat.completions.create(
        model="openclaw", messages=asked, tools=[WEATHER], tool_choice="required"
    )
    assert model.requests[-1]["tools"] == [WEATHER]
    assert model.requests[-1]["tool_choice"] == "required"
    choice = called.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call: Any = choice.message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"Rome"}')
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "!say:sunny"}
    told = await client.chat.completions.create(
        model="openclaw",
        messages=[*asked, choice.message.to_dict(), result],  # type: ignore[list-item]
        tools=[WEATHER],
    )
    assert told.choices[0].message.content == "sunny"
    more: Any = [*asked, choice.message.to_dict(), result, user("!say:and then")]
    await client.chat.completions.create(model="openclaw", messages=more)
    assert [each["role"] for each in model.requests[-1]["messages"]] == [
        "user",
        "assistant",
        "tool",
        "user",
    ]
    assert model.requests[-1]["messages"][1]["tool_calls"][0]["id"] == call.id
    flat: Any = {"type": "function", **WEATHER["function"]}
    response = await client.responses.create(
        model="openclaw", input='!tool:get_weather:{"city":"Oslo"}', tools=[flat]
    )
    item: Any = response.output[0]
    assert (item.type, item.arguments) == ("function_call", '{"city":"Oslo"}')


async def shows_images(client: AsyncOpenAI, model: FakeModel) -> None:
    """Show the model a picture."""
    content: Any = [
        {"type": "text", "text": "!say:seen"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
    ]
    seen = await client.chat.completions.create(
        model="openclaw", messages=[{"role": "user", "content": content}]
    )
    assert seen.choices[0].message.content == "seen"
    assert model.requests[-1]["messages"][-1]["content"][-1] == content[-1]


async def fails(client: AsyncOpenAI) -> None:
    """Ask for what goes wrong: each error is one that the client knows."""
    for text, kind in (("!fail:400", openai.BadRequestError), ("!fail:429", openai.RateLimitError)):
        with pytest.raises(kind):
            await client.chat.completions.create(model="openclaw", messages=[user(text)])
    with pytest.raises(openai.BadRequestError, match="Unknown agent 'nobody'"):
        await client.chat.completions.create(model="openclaw/nobody", messages=[user("x")])
    with pytest.raises(openai.APIStatusError) as large:
        await client.chat.completions.create(model="openclaw", messages=[user("x" * (1 << 20))])
    assert large.value.status_code == 413
    with pytest.raises(openai.APIError):
        async with client.chat.completions.stream(
            model="openclaw", messages=[user("!fail:400")]
        ) as stream:
            await stream.until_done()


async def leaves(client: AsyncOpenAI, model: FakeModel) -> None:
    """Close a stream in the middle: the model is not asked for more."""
    stream = await client.chat.completions.create(
        model="openclaw", messages=[user("!hang")], stream=True
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    assert not model.over.is_set()
    await stream.close()
    await until(model.over.is_set)

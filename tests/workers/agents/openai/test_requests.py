from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.support.agents import asked
from workers.agent import HistoryItem, ToolCall
from workers.agents.openai.config import OpenAIConfig
from workers.agents.openai.requests import Json, request_of


def body(config: dict[str, Any], images: list[Json] | None = None, **turn: Any) -> Json:
    made = msgspec.convert({"model": "m", "baseUrl": "http://a/v1"} | config, OpenAIConfig)
    return request_of(made, asked(turn.pop("text", "now"), **turn), images or [], [])


def test_messages_are_instructions_the_window_and_the_words() -> None:
    history = [
        HistoryItem("user", "q", 1, "Ann"),
        HistoryItem("assistant", "a", 2),
        HistoryItem("tool", "12", 3, "sum"),
    ]
    made = body({"instructions": "Be short."}, history=history, instructions="Be kind.")
    assert made["messages"] == [
        {"role": "system", "content": "Be short.\n\nBe kind."},
        {"role": "user", "content": "Ann: q"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "[result of sum] 12"},
        {"role": "user", "content": "now"},
    ]
    assert len(body({"historyMessages": 0}, history=history)["messages"]) == 1


CALLED = HistoryItem("assistant", "", 2, calls=[ToolCall("c", "sum", "{}"), ToolCall("d", "now")])
RESULTS = [HistoryItem("tool", "12", 3, "sum", call="c"), HistoryItem("tool", "9", 3, call="d")]


@pytest.mark.parametrize(
    ("history", "results", "roles"),
    [
        ([CALLED], RESULTS, ["user", "assistant", "tool", "tool"]),
        ([CALLED, CALLED], RESULTS, ["user", "assistant", "tool", "tool"]),
        ([CALLED], RESULTS[:1], ["user", "user"]),
        ([], RESULTS, ["user", "user"]),
    ],
    ids=["whole", "told twice", "one is missing", "without its calls"],
)
def test_results_are_messages_of_tools_where_their_calls_are_there(
    history: list[HistoryItem], results: list[HistoryItem], roles: list[str]
) -> None:
    known = [HistoryItem("user", "q", 1), *history]
    messages = body({}, history=known, results=results, text="in words")["messages"]
    assert [each["role"] for each in messages] == roles
    if roles[-1] == "tool":
        assert [each["tool_call_id"] for each in messages[-2:]] == ["c", "d"]
    else:
        assert messages[-1]["content"] == "in words"


@pytest.mark.parametrize(
    ("config", "turn", "fields"),
    [
        ({}, {}, {"model": "m", "stream": True, "stream_options": {"include_usage": True}}),
        ({"streamUsage": False}, {}, {"model": "m", "stream": True}),
        ({"stream": False}, {}, {"model": "m"}),
        (
            {"stream": False, "temperature": 0.5, "maxTokens": 9},
            {"model": "other", "thinking": "low"},
            {"model": "other", "temperature": 0.5, "max_tokens": 9, "reasoning_effort": "low"},
        ),
        ({"stream": False}, {"thinking": "off", "tool_choice": "auto"}, {"model": "m"}),
        (
            {"stream": False},
            {"tools": [{"x": 1}], "tool_choice": {"y": 2}},
            {"model": "m", "tools": [{"x": 1}], "tool_choice": {"y": 2}},
        ),
    ],
)
def test_only_what_is_asked_for_is_sent(
    config: dict[str, Any], turn: dict[str, Any], fields: dict[str, Any]
) -> None:
    made = body(config, **turn)
    del made["messages"]
    assert made == fields


def test_images_stand_behind_the_words() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    assert body({}, [image])["messages"][0]["content"] == [{"type": "text", "text": "now"}, image]
    assert body({}, [image], text="")["messages"][0]["content"] == [image]

"""Requests for completions as clients of the API send them."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.asked import MAX_FIELDS, MAX_ITEMS, MAX_TOOLS
from runtime.gateway.http.openai.chat_requests import read_chat_request

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
HELLO = [{"role": "user", "content": "hi"}]


def test_roles_parts_and_calls_are_read() -> None:
    asked = read_chat_request(
        {
            "model": "openclaw",
            "messages": [
                {"role": "system", "content": "be terse"},
                {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
                {"role": "user", "content": [{"type": "text", "text": "see"}, IMAGE]},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "look", "arguments": '{"x":1}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "found"},
            ],
            "user": "ann",
            "stream": True,
            "stream_options": {"include_usage": True},
            "reasoning_effort": "high",
            "n": 2,
            "temperature": 0.5,
            "seed": None,
        }
    )
    assert asked.instructions == "be terse\n\nbe kind"
    assert [(each.role, each.text, each.name) for each in asked.said] == [
        ("user", "see", None),
        ("assistant", "", None),
        ("tool", "found", "look"),
    ]
    assert [each.mime_type for each in asked.said[0].files] == ["image/png"]
    assert asked.said[1].calls == [{"id": "c1", "name": "look", "arguments": '{"x":1}'}]
    assert (asked.user, asked.stream, asked.usage, asked.thinking) == ("ann", True, True, "high")
    assert asked.ignored == ["n", "temperature"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "body: Invalid input: expected object, received array"),
        ({}, "Missing user message in `messages`."),
        ({"messages": []}, "Missing user message in `messages`."),
        ({"messages": [{"role": "system", "content": "s"}]}, "Missing user message"),
        ({"messages": [{"role": "user", "content": ""}]}, "Missing user message"),
        ({"messages": {}}, "messages: Invalid input: expected array, received object"),
        ({"messages": ["hi"]}, "messages.0: Invalid input: expected object, received string"),
        ({"messages": [{"role": "god", "content": "x"}]}, "messages.0.role: Invalid option"),
        ({"messages": [{"role": [], "content": "x"}]}, "messages.0.role: Invalid option"),
        ({"messages": [{"role": {}, "content": "x"}]}, "messages.0.role: Invalid option"),
        ({"messages": [{"role": None, "content": "x"}]}, "messages.0.role: Invalid option"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content: Invalid input"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": ["x"]}]}]},
            "messages.0.content.0.text: Invalid input: expected string, received array",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "refusal", "refusal": 7}]}]},
            "messages.0.content.0.refusal: Invalid input: expected string, received number",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": {}}]}]},
            "messages.0.content.0: a part is of type text, image_url or file",
        ),
        (
            {"messages": HELLO, "tools": [{"type": "function", "function": {"name": {}}}]},
            "Invalid tools/tool_choice: a function has no name",
        ),
        ({"messages": HELLO, "tool_choice": {"function": {"name": []}}}, "Invalid tools"),
        ({"messages": HELLO, "temperature": []}, "`temperature` must be between 0 and 2."),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages.0.content.0: a part is of type text, image_url or file",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "http://x/a.png"}}],
                    }
                ]
            },
            "Invalid image_url content in `messages`.",
        ),
        ({"messages": HELLO, "stop": [*"abcde"]}, "Invalid stop: stop supports at most 4"),
        ({"messages": HELLO, "user": 7}, "user: Invalid input: expected string, received number"),
        ({"messages": HELLO, "stream": "yes"}, "stream: Invalid input: expected boolean"),
        ({"messages": HELLO, "max_completion_tokens": 0}, "max_completion_tokens: Too small"),
        (
            {"messages": [*HELLO, {"role": "assistant", "tool_calls": [{"id": "x"}]}]},
            "messages.1.tool_calls: a call has a function with a name",
        ),
    ],
)
def test_what_is_wrong_is_said(body: Any, words: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        read_chat_request(body)
    assert refused.value.status == 400
    assert refused.value.message.startswith(words)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("{}", "{}"),
        ('{"x":1}', '{"x":1}'),
        ("no JSON", "no JSON"),  # the model's own, and the agent's to judge
        ("", "{}"),
        (None, "{}"),
        ({"x": 1, "y": "é"}, '{"x":1,"y":"é"}'),
        ([1], "[1]"),
    ],
)
def test_the_arguments_of_a_call_are_json_whoever_has_written_them(given: Any, text: str) -> None:
    call = {"id": 7, "function": {"name": "look", "arguments": given}}
    asked = read_chat_request(
        {
            "messages": [
                {"role": "assistant", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": 7, "content": "found"},
            ]
        }
    )
    assert asked.said[0].calls == [{"id": "7", "name": "look", "arguments": text}]
    assert (asked.said[1].call, asked.said[1].name) == ("7", "look")


PART = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": HELLO * (MAX_ITEMS + 1)}, "messages has 10001 messages"),
        ({"messages": [{"role": "user", "content": [PART] * MAX_ITEMS}]}, "messages has 10001"),
        ({"messages": [{"role": "user", "content": [PART] * 5000}] * 2}, "messages has 10002"),
        ({"messages": HELLO, "tools": [{}] * (MAX_TOOLS + 1)}, "there are 1025 tools"),
        ({"messages": HELLO} | {f"x{n}": 1 for n in range(MAX_FIELDS)}, "the body has 257 fields"),
    ],
)
def test_what_is_too_much_is_not_looked_at(body: Any, words: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        read_chat_request(body)
    assert refused.value.status == 413
    assert refused.value.message.startswith(f"Payload too large: {words}")


def test_as_much_as_is_allowed_is_read() -> None:
    parts = [{"role": "user", "content": [PART] * (MAX_ITEMS - 1)}]
    for body in (
        {"messages": HELLO * MAX_ITEMS},
        {"messages": parts},
        {"messages": HELLO} | {f"x{n}": 1 for n in range(MAX_FIELDS - 1)},
    ):
        assert read_chat_request(body).said

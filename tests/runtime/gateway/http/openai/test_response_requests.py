"""Requests for responses as clients of the API, and OpenClaw's own, send them."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.response_requests import read_response_request

SOURCE = {"type": "base64", "media_type": "image/png", "data": "aGk="}
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}


def test_items_are_messages_calls_and_results() -> None:
    asked = read_response_request(
        {
            "model": "openclaw/main",
            "instructions": "be terse",
            "input": [
                {"role": "developer", "content": "be kind"},
                {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "see"},
                        {"type": "input_image", "source": SOURCE},
                        {"type": "input_image", "image_url": "data:image/gif;base64,aGk="},
                        {
                            "type": "input_file",
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,aGk=",
                        },
                    ],
                },
                {"type": "reasoning", "summary": []},
                {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "found"},
            ],
            "tools": [LOOK],
            "tool_choice": {"type": "function", "name": "look"},
            "previous_response_id": "resp_1",
            "reasoning": {"effort": "low"},
            "max_output_tokens": 50,
            "metadata": {},
        }
    )
    assert asked.instructions == "be terse\n\nbe kind"
    assert [(each.role, each.text, each.name) for each in asked.said] == [
        ("user", "see", None),
        ("assistant", "", None),
        ("tool", "found", "look"),
    ]
    assert [(each.mime_type, each.name) for each in asked.said[0].files] == [
        ("image/png", None),
        ("image/gif", None),
        ("application/pdf", "a.pdf"),
    ]
    function = {"name": "look", "parameters": {"type": "object"}}
    assert asked.selection.tools == [{"type": "function", "function": function}]
    assert asked.selection.choice == "look"
    assert (asked.previous, asked.thinking) == ("resp_1", "low")
    assert asked.ignored == ["max_output_tokens", "metadata"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": "m", "input": "x", "bogus": 1}, ': Unrecognized key: "bogus"'),
        ({"input": "x"}, "model: Invalid input: expected string, received undefined"),
        ({"model": "m"}, "input: Invalid input"),
        ({"model": "m", "input": {}}, "input: Invalid input"),
        ({"model": "m", "input": [{"type": "strange"}]}, "input: Invalid input"),
        ({"model": "m", "input": [{"role": "god", "content": "x"}]}, "input: Invalid input"),
        ({"model": "m", "input": [{"role": [], "content": "x"}]}, "input: Invalid input"),
        ({"model": "m", "input": [{"type": {}, "content": "x"}]}, "input: Invalid input"),
        (
            {"model": "m", "input": [{"role": "user", "content": [{"type": "text", "text": {}}]}]},
            "input.content.text: Invalid input: expected string, received object",
        ),
        ({"model": "m", "input": [{"role": "user", "content": [{}]}]}, "input: Invalid input"),
        ({"model": "m", "input": ""}, "Missing user message"),
        ({"model": "m", "input": "x", "max_output_tokens": 0}, "max_output_tokens: Too small"),
        ({"model": "m", "input": "x", "tools": [{"type": "web_search"}]}, "Invalid tools"),
        (None, "body: Invalid input: expected object"),
    ],
)
def test_what_is_wrong_is_said(body: Any, words: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        read_response_request(body)
    assert refused.value.status == 400
    assert refused.value.message.startswith(words)

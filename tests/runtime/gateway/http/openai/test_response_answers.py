"""Responses and their events have the shape that was recorded of OpenClaw."""

from __future__ import annotations

from typing import Any

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.asked import Asked, SaidItem, ToolSelection
from runtime.gateway.http.openai.response_answers import ResponseWriter
from runtime.gateway.journal.runs import Run, RunResult
from tests.support.http_api import chunks
from workers.agent import Delta, ToolCall

TOOLS = ToolSelection([{"type": "function", "function": {"name": "look"}}])
NO_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


def writer() -> ResponseWriter:
    asked = Asked("openclaw/main", [SaidItem("user", "hi")], selection=TOOLS)
    return ResponseWriter("resp_1", 7, asked)


def ended(text: str, stop: str = "stop") -> Run:
    return Run("r", "s", "a", state="final", answer=text, result=RunResult({"output": 2}, stop))


def types(found: list[Any]) -> list[str]:
    assert [each["sequence_number"] for each in found[:-1]] == list(range(len(found) - 1))
    return [each["type"].removeprefix("response.") for each in found[:-1]]


def test_a_stream_is_a_message_piece_by_piece_then_the_calls_then_the_whole() -> None:
    made = writer()
    data = made.begin() + made.text(made.reader.read(Delta("Hi ")))
    made.reader.read(ToolCall("c1", "look", {"x": 1}))
    reply = made.reader.end(ended("Hi there."))
    found = chunks((data + b"".join(made.end(reply))).decode())
    assert types(found) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert found[0]["response"] == {
        "id": "resp_1",
        "object": "response",
        "created_at": 7,
        "status": "in_progress",
        "model": "openclaw/main",
        "output": [],
        "usage": NO_USAGE,
    }
    whole = found[-2]["response"]
    assert whole["output"][0]["content"][0]["text"] == "Hi there."
    assert whole["output"][1] == {
        "type": "function_call",
        "id": "fc_c1",
        "call_id": "c1",
        "name": "look",
        "arguments": '{"x":1}',
        "status": "completed",
    }
    assert whole["usage"]["output_tokens"] == 2
    assert found[-1] == "[DONE]"


def test_a_whole_one_that_was_cut_is_incomplete() -> None:
    maker = writer()
    made = maker.whole(maker.reader.end(ended("cut", "length")))
    assert (made["status"], made["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_output_tokens"},
    )
    assert made["output"][0]["status"] == "incomplete"


def test_one_that_only_calls_tools_says_nothing() -> None:
    made = writer()
    made.reader.read(ToolCall("c1", "look", {}))
    assert [each["type"] for each in made.whole(made.reader.end(ended("")))["output"]] == [
        "function_call"
    ]


def test_a_failure_is_a_response_too() -> None:
    refusal = HttpRefusal(400, "no")
    made = writer().failure(refusal)
    assert (made["status"], made["error"]) == (
        "failed",
        {"code": "invalid_request_error", "message": "no"},
    )
    found = chunks(b"".join(writer().fail(refusal)).decode())
    assert types(found) == ["failed"]

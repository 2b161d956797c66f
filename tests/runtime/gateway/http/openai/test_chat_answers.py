"""Completions and their chunks have the shape that was recorded of OpenClaw."""

from __future__ import annotations

from typing import Any

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.asked import Asked, SaidItem, ToolSelection
from runtime.gateway.http.openai.chat_answers import CompletionWriter
from runtime.gateway.journal.runs import Run, RunResult
from tests.support.http_api import chunks
from workers.agent import Delta, ToolCall

TOOLS = ToolSelection([{"type": "function", "function": {"name": "look"}}])
HEAD = {
    "id": "chatcmpl_1",
    "object": "chat.completion.chunk",
    "created": 7,
    "model": "openclaw/main",
}


def writer(**more: Any) -> CompletionWriter:
    asked = Asked("openclaw/main", [SaidItem("user", "hi")], selection=TOOLS, **more)
    return CompletionWriter("chatcmpl_1", 7, asked)


def ended(text: str, stop: str = "stop") -> Run:
    usage = {"input": 60, "cacheRead": 40, "output": 2}
    return Run("r", "s", "a", state="final", answer=text, result=RunResult(usage, stop))


def test_a_stream_is_a_role_pieces_an_end_the_usage_and_done() -> None:
    made = writer(usage=True)
    data = made.begin() + made.text(made.reader.read(Delta("Hi ")))
    made.reader.read(ToolCall("c1", "look", {}))
    reply = made.reader.end(ended("Hi there.", "length"))
    found = chunks((data + b"".join(made.end(reply))).decode())
    call = {"index": 0, "id": "c1", "type": "function"}
    function = {"name": "look", "arguments": "{}"}
    assert [each["choices"][0]["delta"] for each in found[:-2]] == [
        {"role": "assistant"},
        {"content": "Hi "},
        {"content": "there."},
        {"tool_calls": [call | {"function": function}]},
        {},
    ]
    assert {name: found[0][name] for name in HEAD} == HEAD
    assert [each["choices"][0]["finish_reason"] for each in found[:-2]] == [
        None,
        None,
        None,
        None,
        "tool_calls",
    ]
    assert found[-2] == HEAD | {
        "choices": [],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 2,
            "total_tokens": 102,
            "prompt_tokens_details": {"cached_tokens": 40},
        },
    }
    assert found[-1] == "[DONE]"


def test_a_whole_one_names_what_was_ignored() -> None:
    maker = writer(ignored=["n"])
    made = maker.whole(maker.reader.end(ended("cut", "length")))
    assert made["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "cut"},
            "finish_reason": "length",
        }
    ]
    assert (made["object"], made["ignored"]) == ("chat.completion", ["n"])


def test_an_error_in_a_stream_is_an_event_before_done() -> None:
    found = chunks(b"".join(writer().fail(HttpRefusal(400, "no"))).decode())
    assert [*found[0]] == ["error"]
    assert found[1:] == ["[DONE]"]

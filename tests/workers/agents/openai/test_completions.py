from __future__ import annotations

from typing import Any

import pytest

from workers.agent import Delta, Final, ToolCall, Usage
from workers.agents.answers import AnswerBound, BrokenAnswer
from workers.agents.openai.completions import CompletionReader
from workers.errors import Transient, TurnRefused


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def read(*chunks: Any) -> list[Any]:
    reader = CompletionReader(AnswerBound(1000))
    found: list[Any] = [delta for each in chunks for delta in reader.read(each)]
    return found + list(reader.end())


def call(**fields: Any) -> dict[str, Any]:
    function = {key: fields.pop(key) for key in ("name", "arguments") if key in fields}
    return chunk(tool_calls=[{**fields, "function": function}])


END = chunk("tool_calls")


@pytest.mark.parametrize(
    ("chunks", "events"),
    [
        ([chunk(content="a"), chunk("stop")], [Delta("a"), Final(stop_reason="stop")]),
        ([chunk(content=[{"text": "a"}, {"x": 1}]), chunk("stop")], [Delta("a"), "stop"]),
        ([chunk(content=None, refusal="I cannot"), chunk("stop")], [Delta("I cannot"), "stop"]),
        ([chunk(content="", role="assistant"), chunk("length")], ["length"]),
        ([{"choices": [{"index": 1, "delta": {"content": "b"}}]}, chunk("stop")], ["stop"]),
        ([{"choices": []}, {}, {"choices": None}, chunk("stop")], ["stop"]),
        (
            [
                call(index=0, id="x", name="f", arguments='{"a"'),
                call(index=0, arguments=":1}"),
                END,
            ],
            [ToolCall("x", "f", {"a": 1}), "tool_calls"],
        ),
        (  # two calls whose pieces have no index
            [call(id="x", name="f"), call(arguments="{}"), call(id="y", name="g")],
            [ToolCall("x", "f", {}), ToolCall("y", "g", {})],
        ),
        ([call(name="f", arguments={"a": 1})], [ToolCall("call_1", "f", {"a": 1})]),
        ([call(index=3, name="f", arguments="[1]")], [ToolCall("call_1", "f", "[1]")]),
    ],
)
def test_chunks_become_events(chunks: list[Any], events: list[Any]) -> None:
    wanted = [Final(stop_reason=each) if isinstance(each, str) else each for each in events]
    if isinstance(wanted[-1], ToolCall):
        chunks, wanted = [*chunks, END], [*wanted, Final(stop_reason="tool_calls")]
    assert read(*chunks) == wanted


def test_the_end_has_usage_and_model() -> None:
    details = {"cached_tokens": 4}
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": details}
    last = {**chunk("stop"), "model": "m-1", "usage": usage}
    assert read(last, {"choices": [], "usage": None}) == [
        Final(usage=Usage(5, 2, 4), stop_reason="stop", model="m-1")
    ]
    assert read({**chunk("stop"), "usage": {"prompt_tokens": None}})[0].usage == Usage()


@pytest.mark.parametrize(
    ("chunks", "kind", "why"),
    [
        ([], Transient, "before its end"),
        ([chunk(content="a")], Transient, "before its end"),
        ([chunk("content_filter")], TurnRefused, "content filter"),
        (["text"], BrokenAnswer, "not a completion"),
        ([{"choices": {}}], BrokenAnswer, "not a completion"),
        ([chunk(content=7)], BrokenAnswer, "not a completion"),
        ([call(index=0, arguments="{}"), END], BrokenAnswer, "has no name"),
        ([chunk(content="x" * 1001)], BrokenAnswer, "longer than 1000"),
        ([call(index=0, name="f", arguments="x" * 1001)], BrokenAnswer, "longer than 1000"),
        ([call(index=n, name="f") for n in range(129)], BrokenAnswer, "more than 128"),
    ],
)
def test_what_is_no_answer_is_an_error(chunks: list[Any], kind: type[Exception], why: str) -> None:
    with pytest.raises(kind, match=why):
        read(*chunks)

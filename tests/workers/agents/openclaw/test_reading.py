from __future__ import annotations

from typing import Any

import pytest

from workers.agent import Delta, Final, Notice, ToolCall, ToolResult, TurnEvent, Usage
from workers.agents.answers import AnswerBound, BrokenAnswer
from workers.agents.openclaw.reading import RunReader, final_of, usage_of
from workers.errors import RateLimited, Transient
from workers.messages import Attachment


def reader(most: int = 4096) -> RunReader:
    return RunReader(AnswerBound(most))


def chat(text: str, state: str = "delta", **more: Any) -> dict[str, Any]:
    return {"state": state, "message": {"content": [{"type": "text", "text": text}]}} | more


def tool(phase: str, **data: Any) -> dict[str, Any]:
    return {"stream": "tool", "data": {"toolCallId": "c", "name": "exec", "phase": phase} | data}


@pytest.mark.parametrize(
    ("events", "yields"),
    [
        ([chat("a"), chat("ab"), chat("ab")], [Delta("a"), Delta("b")]),
        ([chat("a"), chat("abcd"), chat("abcde", "final")], [Delta("a"), Delta("bcd"), Delta("e")]),
        ([chat("one"), chat("two")], [Delta("one"), Delta("\n\ntwo")]),
        ([chat("wrong"), chat("", replace=True), chat("wro")], [Delta("wrong"), Delta("\n\nwro")]),
        (
            [chat("wrong"), chat("right", replace=True), chat("right!")],
            [Delta("wrong"), Delta("!")],
        ),
        ([chat("a\0b")], [Delta("ab")]),
        ([{"state": "status"}, {"state": "delta"}, {"message": 5}], []),
    ],
)
def test_the_text_of_events_comes_once(
    events: list[dict[str, Any]], yields: list[TurnEvent]
) -> None:
    made = reader()
    assert [each for event in events for each in made.read("chat", event)] == yields
    assert made.seen == bool(yields)


def test_tools_and_notices_become_events() -> None:
    made = reader()
    result = {"content": [{"type": "text", "text": "out"}, {"type": "image"}]}
    events = [
        tool("start", args={"command": "date"}),
        tool("start"),
        tool("update"),
        tool("result", result=result, isError=True),
        tool("result", result=result),
        {"stream": "run_status", "data": {"phase": "retrying", "message": "in 2s"}},
        {"stream": "run_status", "data": {"phase": "starting_model"}},
        {"stream": "lifecycle", "data": {"phase": "model", "model": "fake-1"}},
        {"stream": "lifecycle", "data": {"phase": "model", "model": None}},
        {"stream": "tool", "data": {"toolCallId": 5}},
        {"stream": "tool"},
    ]
    assert [each for event in events for each in made.read("agent", event)] == [
        ToolCall("c", "exec", {"command": "date"}),
        ToolResult("c", "out", True),
        Notice("in 2s"),
    ]
    assert made.model == "fake-1"


def test_the_first_error_counts() -> None:
    made = reader()
    made.read("chat", {"state": "error", "errorKind": "rate_limit", "errorMessage": "slowly"})
    made.read("chat", {"state": "error", "errorMessage": "again"})
    assert made.ended
    with pytest.raises(RateLimited, match="slowly"):
        final_of({"status": "error", "summary": "failed"}, made)


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(BrokenAnswer, match="maxAnswerBytes"):
        reader(3).read("chat", chat("four"))


def test_the_last_answer_is_the_end() -> None:
    payloads = [
        {"text": "one", "mediaUrl": None},
        {"text": "", "mediaUrl": "https://a/b", "mediaUrls": ["https://a/b", "/etc/passwd"]},
        {"text": "two"},
    ]
    usage = {"input": 5, "output": 2, "cacheRead": 1, "cacheWrite": -1, "cost": {}}
    result = {"payloads": payloads, "meta": {"agentMeta": {"model": "m", "usage": usage}}}
    made = reader()
    made.read("chat", chat("one", "final", stopReason="length"))
    assert final_of({"status": "ok", "result": result}, made) == Final(
        "one\n\ntwo", Usage(5, 2, 1), "length", "m", [Attachment(url="https://a/b")]
    )
    assert final_of({"status": "ok"}, reader()) == Final("")
    assert usage_of({"input": "5"}) == Usage()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": "timeout", "stopReason": "rpc"}, Transient),
        ({"status": "timeout", "timeoutPhase": "provider"}, Transient),
        ({"status": "error", "summary": "no"}, BrokenAnswer),
        ({}, BrokenAnswer),
        ([], BrokenAnswer),
    ],
)
def test_an_unsuccessful_answer_has_its_error(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        final_of(answer, reader())

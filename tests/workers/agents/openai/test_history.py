"""What was said before, with the calls of tools, in the shape of chat completions."""

from __future__ import annotations

from typing import Any

import pytest

from workers.agent import HistoryItem, ToolCall
from workers.agents.openai.history import messages_of
from workers.agents.prompts import window

ONE, TWO = ToolCall("1", "clock", {"zone": "Rome"}), ToolCall("2", "sum", "not an object")
ASKED = HistoryItem("user", "what time is it?", 1)


def result(call: str, text: str = "09:30") -> HistoryItem:
    return HistoryItem("tool", text, 3, "clock", call=call)


def test_calls_stand_with_their_results() -> None:
    history = [
        ASKED,
        HistoryItem("assistant", "", 2, calls=[ONE, TWO]),
        result("2", "3"),
        result("1"),
        HistoryItem("assistant", "Half past nine.", 4),
    ]
    function = {"name": "clock", "arguments": '{"zone":"Rome"}'}
    other = {"name": "sum", "arguments": "not an object"}
    assert messages_of(window(history, 40, 8000, calls=True)) == [
        {"role": "user", "content": "what time is it?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": function},
                {"id": "2", "type": "function", "function": other},
            ],
        },
        {"role": "tool", "tool_call_id": "2", "content": "3"},
        {"role": "tool", "tool_call_id": "1", "content": "09:30"},
        {"role": "assistant", "content": "Half past nine."},
    ]


@pytest.mark.parametrize(
    "history",
    [
        [HistoryItem("assistant", "", 2, calls=[ONE])],
        [HistoryItem("assistant", "", 2, calls=[ONE]), ASKED, result("1")],
        [result("1"), HistoryItem("assistant", "", 2, calls=[ONE])],
        [HistoryItem("assistant", "", 2, calls=[ONE, TWO]), result("1")],
        [HistoryItem("assistant", "", 2, calls=[ONE]), result("2")],
        [HistoryItem("assistant", "", 2, calls=[ONE]), HistoryItem("tool", "old", 3)],
    ],
)
def test_what_an_endpoint_would_refuse_is_words(history: list[HistoryItem]) -> None:
    found: list[dict[str, Any]] = messages_of(history)
    assert all(set(each) == {"role", "content"} for each in found)
    assert {each["role"] for each in found} <= {"user", "assistant"}
    results = [each for each in history if each.role == "tool"]
    assert len([each for each in found if "[result of" in each["content"]]) == len(results)


def test_a_window_without_calls_leaves_out_what_has_no_words() -> None:
    history = [ASKED, HistoryItem("assistant", "", 2, calls=[ONE]), result("1")]
    assert window(history, 40, 8000) == [ASKED, result("1")]
    assert window(history, 40, 8000, calls=True) == history
    assert window(history, 40, 20, calls=True) == [result("1")]

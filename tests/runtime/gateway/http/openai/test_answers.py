"""What the API answers follows from the events of a run, however they come."""

from __future__ import annotations

import pytest

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.answers import CallOfTool, ReplyReader, TokenCounts
from runtime.gateway.http.openai.asked import ToolSelection
from runtime.gateway.journal.runs import Run, RunResult
from workers.agent import Delta, ToolCall, ToolResult

TOOLS = ToolSelection([{"type": "function", "function": {"name": "look"}}])


def ended(text: str, stop: str = "stop", **usage: int) -> Run:
    return Run("r", "s", "a", state="final", answer=text, result=RunResult(usage, stop))


def test_what_was_streamed_is_not_in_what_is_left() -> None:
    reader = ReplyReader(ToolSelection())
    assert [reader.read(Delta(each)) for each in ("one ", "two")] == ["one ", "two"]
    reply = reader.end(ended("one two!", "length", input=5, cacheRead=2, output=3))
    assert (reply.text, reply.more, reply.cut) == ("one two!", "!", True)
    assert reply.usage == TokenCounts(input=7, cached=2, output=3)
    assert reply.usage.total == 10


@pytest.mark.parametrize(
    ("answer", "more"), [("one two", "two"), ("another", "\n\nanother"), ("", "")]
)
def test_a_turn_that_is_made_again_shows_its_answer_whole_if_it_is_another(
    answer: str, more: str
) -> None:
    reader = ReplyReader(ToolSelection())
    reader.begin()
    assert reader.read(Delta("one ")) == "one "
    reader.begin()
    assert reader.read(Delta(answer)) == ""
    assert reader.end(ended(answer)).more == more


def test_only_calls_of_the_callers_tools_without_a_result_are_its_to_make() -> None:
    reader = ReplyReader(TOOLS)
    reader.read(ToolCall("1", "look", {"x": 1}))
    reader.read(ToolCall("2", "look", '{"broken'))
    reader.read(ToolCall("3", "look", {}))
    reader.read(ToolResult("3", "seen"))
    reader.read(ToolCall("4", "own", {}))
    assert reader.end(ended("")).calls == [
        CallOfTool("1", "look", '{"x":1}'),
        CallOfTool("2", "look", '{"broken'),
    ]


@pytest.mark.parametrize("choice", ["required", "look"])
def test_a_tool_that_had_to_be_called(choice: str) -> None:
    selection = ToolSelection(TOOLS.tools, choice)
    with pytest.raises(HttpRefusal) as refused:
        ReplyReader(selection).end(ended("no"))
    assert (refused.value.status, choice in refused.value.message) == (502, True)
    reader = ReplyReader(selection)
    reader.read(ToolCall("1", "look", {}))
    assert reader.end(ended("")).calls


def test_a_run_that_reports_nothing_costs_nothing() -> None:
    reader = ReplyReader(ToolSelection())
    odd = Run("r", "s", "a", state="final", result=RunResult({"input": "x", "output": True}))
    assert reader.end(odd).usage == TokenCounts()
    assert reader.end(Run("r", "s", "a", state="final")).usage == TokenCounts()

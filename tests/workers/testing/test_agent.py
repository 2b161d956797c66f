"""The kit for agents: a turn in a real process, its events, its end, and what went wrong."""

from __future__ import annotations

import pytest

from tests.support.controllable_agent import AGENT
from workers.agent import (
    Delta,
    Final,
    HistoryItem,
    Notice,
    ToolCall,
    ToolResult,
    TurnOutcome,
    Usage,
)
from workers.testing.agent import agent_turn, running_agent

ECHO = "workers.agents.echo:manifest"


def test_one_call_runs_one_turn() -> None:
    answer = agent_turn(ECHO, "hello", history=[HistoryItem("user", "before", 1)])
    assert answer.text == "echo: hello"
    assert answer.events == []


def test_turns_of_an_agent_that_runs() -> None:
    with running_agent(AGENT, token="sesame") as agent:
        whole = agent.turn("whole")
        assert whole.outcome == TurnOutcome(
            "final", Final("the answer", Usage(3, 5), "stop", "m-1")
        )
        assert whole.events == [
            Delta("draft"),
            ToolCall("1", "add", {"a": 1}),
            ToolResult("1", "2"),
            Notice("thinks"),
        ]
        assert agent.turn("run", run="my-run").text == "my-run"
        failed = agent.turn("raise rate").outcome
        assert failed is not None
        assert (failed.kind, failed.retry_after) == ("rate_limited", 2.5)
        late = agent.turn("hang a bit", seconds=0.1)
        assert (late.outcome, late.text) == (TurnOutcome("timeout"), "a bit")
        hanging = agent.begin("hang")
        assert hanging.outcome is None
        agent.cancel(hanging)
        assert agent.ended(hanging).outcome == TurnOutcome("aborted")
        assert "a turn failed" in agent.log
        assert agent.status["mode"] == "test"


def test_an_agent_that_cannot_run_says_why() -> None:
    with pytest.raises(AssertionError, match=r"ended with 78:[\s\S]*no server"):
        agent_turn(AGENT, "x", config={"run": "fail"})

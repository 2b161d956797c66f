"""What an agent gets and yields is JSON that both ends read alike; a manifest needs no SDK."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.agent import (
    AgentManifest,
    Delta,
    Final,
    HistoryItem,
    Notice,
    ToolCall,
    ToolResult,
    Turn,
    TurnEvent,
    TurnOutcome,
    Usage,
)
from workers.errors import ChannelError, RateLimited, Transient, TurnRefused
from workers.messages import Attachment, Chat, Sender


class Config(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    base_url: str
    model: str = "m"


manifest = AgentManifest("talk", "Talk", Config, "talk.agent:Talk")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "baseUrl not set"),
        ({"baseUrl": "http://x"}, None),
        ({"baseUrl": ""}, "baseUrl not set"),
    ],
)
def test_an_agent_is_unconfigured_while_a_field_without_default_is_absent(
    config: dict[str, Any], why: str | None
) -> None:
    assert manifest.unconfigured(config) == why
    assert manifest.describe(config) == ""


def test_a_turn_is_short_json_and_comes_back_as_it_was() -> None:
    turn = Turn("r", "agent:main:main", "main", "hello", 1_800_000_000_000)
    assert msgspec.json.decode(msgspec.json.encode(turn)) == {
        "run": "r",
        "session": "agent:main:main",
        "agent": "main",
        "text": "hello",
        "deadline": 1_800_000_000_000,
    }
    whole = Turn(
        "r",
        "agent:main:main",
        "main",
        "hello",
        1,
        history=[HistoryItem("tool", "4", 7, "calc")],
        attachments=[Attachment("media:1", "image/png")],
        sender=Sender("u", verified=True),
        account="irc:x",
        chat=Chat("c", "group"),
        abilities={"can": ["edit"]},
        tools=[{"type": "function"}],
        tool_choice="auto",
        heartbeat=True,
    )
    wire = msgspec.json.encode(whole)
    assert b'"toolChoice":"auto"' in wire
    assert msgspec.json.decode(wire, type=Turn) == whole


def test_a_cancelled_turn_shows_it() -> None:
    turn = Turn("r", "s", "a", "hello", 1)
    assert not turn.cancelled
    turn.cancel()
    assert turn.cancelled


@pytest.mark.parametrize(
    ("event", "wire"),
    [
        (Delta("a"), {"type": "delta", "text": "a"}),
        (
            ToolCall("1", "add", {"a": 1}),
            {"type": "toolCall", "id": "1", "name": "add", "arguments": {"a": 1}},
        ),
        (
            ToolCall("1", "add", "{broken"),
            {"type": "toolCall", "id": "1", "name": "add", "arguments": "{broken"},
        ),
        (
            ToolResult("1", "2", failed=True),
            {"type": "toolResult", "id": "1", "output": "2", "failed": True},
        ),
        (Notice("reads"), {"type": "notice", "text": "reads"}),
    ],
)
def test_an_event_says_on_the_wire_what_it_is(event: TurnEvent, wire: dict[str, Any]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(event)) == wire
    assert msgspec.convert(wire, TurnEvent) == event


def test_an_outcome_holds_the_answer_or_the_class_of_the_error() -> None:
    answered = TurnOutcome("final", Final("hi", Usage(3, cache_read=4), "stop", "m"))
    failed = TurnOutcome("error", kind="rate_limited", error="429", retry_after=2.5)
    for outcome in (answered, failed):
        assert msgspec.json.decode(msgspec.json.encode(outcome), type=TurnOutcome) == outcome
    assert answered.final is not None
    assert answered.final.usage is not None
    assert answered.final.usage.total == 7
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"state":"final","kind":"odd"}', type=TurnOutcome)


def test_the_errors_of_a_turn_are_in_the_tree_of_all() -> None:
    assert issubclass(RateLimited, Transient)
    assert RateLimited("slow down", retry_after=3).retry_after == 3
    assert issubclass(TurnRefused, ChannelError)

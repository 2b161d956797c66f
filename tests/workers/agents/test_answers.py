from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.agent import Delta, Final, Notice, ToolCall, ToolResult, Usage
from workers.agents.answers import AnswerBound, BrokenAnswer, read_event, shown, without_nul
from workers.errors import (
    Misconfigured,
    NeedsLogin,
    RateLimited,
    Transient,
    TurnRefused,
    TurnTooLarge,
)
from workers.messages import Attachment

LINKS = ("https://",)


@pytest.mark.parametrize(
    "event",
    [
        Delta("a"),
        ToolCall("1", "f", {"x": 1}),
        ToolCall("1", "f", "{broken"),
        ToolResult("1", "out", failed=True),
        Notice("n"),
    ],
)
def test_what_an_agent_yields_is_read_back(event: Any) -> None:
    assert read_event(msgspec.json.encode(event), LINKS) == event


def test_the_end_is_read_with_all_that_it_may_hold() -> None:
    line = (
        b'{"type":"final","text":"t","usage":{"input":1,"cacheRead":2},"stopReason":"stop",'
        b'"model":"m","attachments":[{"url":"https://a/b.png"}]}'
    )
    files = [Attachment("https://a/b.png")]
    assert read_event(line, LINKS) == Final("t", Usage(1, cache_read=2), "stop", "m", files)
    assert read_event(b'{"type":"final"}', LINKS) == Final()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\xff", "not JSON"),
        (b"\0", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b"[]", "JSON object"),
        (b"{}", "unknown type: None"),
        (b'{"type":["delta"]}', "unknown type"),
        (b'{"type":"strange"}', "unknown type: strange"),
        (b'{"type":"delta"}', "`text`"),
        (b'{"type":"delta","text":1}', "Expected `str`"),
        (b'{"type":"final","text":1}', "Expected `str"),
        (b'{"type":"final","attachments":[{"url":"file:///etc/passwd"}]}', "begins with https://"),
        (b'{"type":"error","kind":"odd"}', "Invalid enum value"),
        (b'{"type":"error","kind":"failed","message":"it broke"}', "it broke"),
        (b'{"type":"error"}', "without a message"),
    ],
)
def test_what_is_no_event_is_named(line: bytes, why: str) -> None:
    with pytest.raises(BrokenAnswer, match=why.replace("[", r"\[")):
        read_event(line, LINKS)


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("transient", Transient),
        ("rate_limited", RateLimited),
        ("refused", TurnRefused),
        ("too_large", TurnTooLarge),
        ("misconfigured", Misconfigured),
        ("needs_login", NeedsLogin),
    ],
)
def test_an_error_is_raised_by_its_class(kind: str, raised: type[Exception]) -> None:
    line = msgspec.json.encode({"type": "error", "kind": kind, "message": "why", "retryAfter": 3})
    with pytest.raises(raised, match="why") as caught:
        read_event(line, LINKS)
    assert type(caught.value) is raised
    assert getattr(caught.value, "retry_after", 3) == 3


def test_an_answer_is_bounded() -> None:
    bound = AnswerBound(10)
    bound.count(10)
    with pytest.raises(BrokenAnswer, match="longer than 10 bytes"):
        bound.count(1)


def test_other_people_s_words_are_one_short_line() -> None:
    assert shown("a\nb\t c") == "a b c"
    assert len(shown("x" * 10_000)) == 301
    assert without_nul("a\0b") == "ab"

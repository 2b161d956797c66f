"""What a turn raises has a meaning, and what it yields is bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.agent import Delta, Final, Notice, ToolCall, ToolResult, TurnEvent, TurnOutcome
from workers.errors import (
    LONGEST_WAIT,
    ChannelError,
    Finished,
    LoggedOut,
    MediaFailed,
    Misconfigured,
    NeedsLogin,
    RateLimited,
    Transient,
    TurnRefused,
    TurnTooLarge,
)
from workers.messages import MAX_TEXT
from workers.process import turn_outcomes
from workers.process.turn_outcomes import (
    MAX_CALL_BYTES,
    MAX_EVENT_BYTES,
    OutOfBounds,
    TurnOutput,
    outcome_of,
    outcome_payload,
)

CASES: list[tuple[BaseException, str, str, float | None]] = [
    (Transient("later", retry_after=3), "transient", "later", 3),
    (Transient(), "transient", "transient", None),
    (RateLimited("429", retry_after=7), "rate_limited", "429", 7),
    (RateLimited("429", retry_after=1e308), "rate_limited", "429", LONGEST_WAIT),
    (TurnRefused("no"), "refused", "no", None),
    (TurnTooLarge("long"), "too_large", "long", None),
    (Misconfigured("no model"), "misconfigured", "no model", None),
    (NeedsLogin("key"), "needs_login", "key", None),
    (LoggedOut("revoked"), "needs_login", "revoked", None),
    (Finished("done"), "failed", "done", None),
    (ChannelError(), "failed", "workers.errors.ChannelError", None),
    (MediaFailed("disk full", reason="unavailable"), "transient", "disk full", None),
    (MediaFailed("gone", reason="not_found"), "failed", "gone", None),
    (ConnectionResetError("reset"), "transient", "ConnectionResetError: reset", None),
    (TimeoutError(), "transient", "TimeoutError", None),
    (OSError(24, "too many open files"), "failed", "OSError: [Errno 24] too", None),
    (ValueError("bug"), "failed", "ValueError: bug", None),
    (SystemExit(3), "failed", "SystemExit: 3", None),
    (OutOfBounds("too much"), "failed", "too much", None),
    (ExceptionGroup("", [OSError("x"), RateLimited("429")]), "rate_limited", "429", None),
    (ExceptionGroup("", [OSError("x"), KeyError("y")]), "failed", "KeyError: 'y'", None),
    (ExceptionGroup("", [Transient("t"), Misconfigured("m")]), "misconfigured", "m", None),
    (ValueError("x" * 9000), "failed", "ValueError: xxx", None),
]


@pytest.mark.parametrize(("error", "kind", "text", "after"), CASES)
def test_the_class_of_an_exception_decides(
    error: BaseException, kind: str, text: str, after: float | None
) -> None:
    outcome = outcome_of(error)
    assert (outcome.state, outcome.kind, outcome.retry_after) == ("error", kind, after)
    assert outcome.error.startswith(text)
    assert len(outcome.error) <= 2000


def test_the_agent_explains_its_library_s_errors() -> None:
    def explain(error: BaseException) -> ChannelError | None:
        return TurnRefused("filtered") if isinstance(error, LookupError) else None

    assert outcome_of(KeyError("x"), explain).kind == "refused"
    assert outcome_of(ValueError("x"), explain).kind == "failed"


def decoded(output: TurnOutput, event: Any) -> list[TurnEvent]:
    found = list(output.payloads(event))
    payloads = [
        msgspec.json.encode(Delta(each)) if isinstance(each, str) else each for each in found
    ]
    assert all(len(payload) <= MAX_EVENT_BYTES for payload in payloads)
    return [msgspec.json.decode(payload, type=TurnEvent) for payload in payloads]


@pytest.mark.parametrize("text", ["a" * 100_000, "é" * 100_000, "\x00" * 100_000, "🎈" * 5_000])
def test_a_long_delta_is_split_and_nothing_of_it_is_lost(text: str) -> None:
    output = TurnOutput()
    pieces = decoded(output, Delta(text))
    assert len(pieces) > 1
    assert "".join(piece.text for piece in pieces if isinstance(piece, Delta)) == text
    final = output.outcome().final
    assert final is not None
    assert final.text == text


def test_an_empty_delta_is_nothing() -> None:
    assert decoded(TurnOutput(), Delta("")) == []


@pytest.mark.parametrize("event", [ToolResult("1", "x" * 99_999), Notice("\x01" * 99_999)])
def test_a_long_result_or_notice_is_cut_and_shows_it(event: ToolResult | Notice) -> None:
    (cut,) = decoded(TurnOutput(), event)
    text = cut.output if isinstance(cut, ToolResult) else getattr(cut, "text", "")
    assert text.endswith("characters more)")
    (short,) = decoded(TurnOutput(), Notice("x" * 1000))
    assert short == Notice("x" * 1000)


@pytest.mark.parametrize(
    "event",
    [
        Delta("x" * (MAX_TEXT + 1)),
        ToolCall("1", "write", {"text": "x" * MAX_CALL_BYTES}),
        {"text": "not an event"},
        None,
        Final("no event either"),
        Delta(b"bytes"),  # type: ignore[arg-type]
        Notice(b"bytes"),  # type: ignore[arg-type]
        ToolResult("1", b"bytes"),  # type: ignore[arg-type]
    ],
    ids=["answer", "tool call", "dict", "None", "Final", "delta", "notice", "result"],
)
def test_what_no_turn_may_yield_is_refused(event: Any) -> None:
    with pytest.raises(OutOfBounds):
        list(TurnOutput().payloads(event))


def test_a_large_call_of_a_tool_goes_whole() -> None:
    call = ToolCall("1", "write", {"text": "x" * 100_000})
    (payload,) = TurnOutput().payloads(call)
    assert isinstance(payload, bytes)
    assert msgspec.json.decode(payload, type=TurnEvent) == call


def test_all_deltas_together_are_bounded_and_so_are_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = TurnOutput()
    assert len(decoded(output, Delta("x" * MAX_TEXT))) > 1
    with pytest.raises(OutOfBounds, match="an answer of more than"):
        list(output.payloads(Delta("y")))
    monkeypatch.setattr(turn_outcomes, "MAX_EVENTS", 2)
    output = TurnOutput()
    decoded(output, Notice("1"))
    decoded(output, Notice("2"))
    with pytest.raises(OutOfBounds, match="more than 2 events"):
        list(output.payloads(Notice("3")))


@pytest.mark.parametrize(
    ("final", "text"),
    [(None, "ab"), (Final(), "ab"), (Final("whole"), "whole"), (Final(""), "")],
)
def test_the_answer_is_the_final_text_or_all_deltas(final: Final | None, text: str) -> None:
    output = TurnOutput()
    for piece in "ab":
        list(output.payloads(Delta(piece)))
    outcome = output.outcome(final)
    assert outcome.state == "final"
    assert outcome.final is not None
    assert outcome.final.text == text


def test_an_answer_that_is_none_is_refused() -> None:
    with pytest.raises(OutOfBounds, match="at most"):
        TurnOutput().outcome(Final("x" * (MAX_TEXT + 1)))
    with pytest.raises(OutOfBounds, match="bytes instead of a text"):
        TurnOutput().outcome(Final(b"x"))  # type: ignore[arg-type]
    with pytest.raises(OutOfBounds, match=r"an answer of 1\d+ bytes"):
        outcome_payload(TurnOutcome("final", Final("\x00" * MAX_TEXT)))
    with pytest.raises(msgspec.ValidationError):
        outcome_payload(TurnOutcome("final", Final("x", usage="lots")))  # type: ignore[arg-type]
    with pytest.raises(UnicodeError):
        outcome_payload(TurnOutcome("final", Final("\ud800")))

"""What becomes of a message whose attempt has ended: tables of reasons and policies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.errors import CallTimeout, IpcError, PeerGone, RemoteError
from runtime.gateway.journal.outgoing import GivenUp, OutgoingRow, Postponed
from runtime.gateway.outbox.outcomes import (
    REASONS,
    AttemptFailure,
    SendPolicy,
    backoff,
    decide,
    failure_of,
    in_doubt,
)

KEY, NOW, HOUR = "irc:libera", 1_000_000, 3_600_000


def row(**fields: Any) -> OutgoingRow:
    known: dict[str, Any] = {
        "expires": NOW + HOUR,
        "attempts": 1,
        "first_attempt": NOW,
        "origin": "agent",
    }
    return OutgoingRow("k", "id", "ada", **known | fields)


def remote(retryable: bool = False, after: int | None = None, **details: Any) -> RemoteError:
    return RemoteError(
        "UNAVAILABLE", "why", details=details, retryable=retryable, retry_after_ms=after
    )


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (PeerGone("x", maybe_executed=True), ("unknown", True, False, None, False)),
        (CallTimeout("deliver", 150), ("unknown", True, False, None, False)),
        (remote(maybeExecuted=True), ("unknown", True, False, None, False)),
        (remote(True), ("busy", False, True, None, False)),
        (
            remote(True, 2500, notYet=True, reason="rate_limited"),
            ("not_yet", False, True, 2.5, False),
        ),
        (remote(True, notBegun=True), ("not_begun", False, True, 0.0, False)),
        (
            remote(True, 7_200_000, reason="rate_limited", scope="account"),
            ("rate_limited", False, True, 7200.0, True),
        ),
        (remote(True, reason="unavailable"), ("unavailable", False, True, None, False)),
        *[
            (remote(reason=reason), (reason, False, False, None, False))
            for reason in (
                "blocked",
                "not_found",
                "forbidden",
                "too_long",
                "invalid",
                "unsupported",
            )
        ],
        (remote(reason="made up"), ("failed", False, False, None, False)),
        (remote(), ("failed", False, False, None, False)),
        (RemoteError("INVALID_REQUEST", "no"), ("failed", False, False, None, False)),
    ],
)
def test_what_an_error_means(error: IpcError, failure: tuple[Any, ...]) -> None:
    found = failure_of(error)
    assert (found.reason, found.maybe, found.passes, found.after, found.account) == failure
    assert found.reason in REASONS


PASSES = AttemptFailure("slow", "rate_limited", passes=True, after=7200.0)
SOON = AttemptFailure("slow", "rate_limited", passes=True, after=60.0)
NEVER = AttemptFailure("no", "blocked")
DOUBT = in_doubt("died")


@pytest.mark.parametrize(
    ("fields", "failure", "policy", "outcome"),
    [
        ({}, SOON, SendPolicy(), ("queued", NOW + 60_000, False)),
        ({}, PASSES, SendPolicy(), ("expired", None, True)),  # its time is not clamped
        ({"expires": NOW + 3 * HOUR}, PASSES, SendPolicy(), ("queued", NOW + 2 * HOUR, False)),
        ({"origin": "send"}, PASSES, SendPolicy(), ("expired", None, False)),
        ({}, NEVER, SendPolicy(), ("failed", None, True)),
        ({"origin": "send"}, NEVER, SendPolicy(), ("failed", None, False)),
        ({}, DOUBT, SendPolicy(), ("unknown", None, True)),
        ({"origin": "send"}, DOUBT, SendPolicy(), ("unknown", None, True)),
        ({}, DOUBT, SendPolicy("drop"), ("unknown", None, False)),
        ({}, DOUBT, SendPolicy("retry"), ("queued", NOW + 1000, False)),
        ({"expires": NOW}, DOUBT, SendPolicy("retry"), ("unknown", None, True)),
        ({}, DOUBT, SendPolicy("ask", 300.0), ("queued", NOW + 1000, False)),
        (
            {"first_attempt": NOW - 300_000},
            DOUBT,
            SendPolicy("ask", 300.0),
            ("unknown", None, True),
        ),
        (
            {"first_attempt": NOW - 300_000},
            DOUBT,
            SendPolicy("drop", 300.0),
            ("unknown", None, False),
        ),
    ],
)
def test_what_becomes_of_a_row(
    fields: dict[str, Any], failure: AttemptFailure, policy: SendPolicy, outcome: tuple[Any, ...]
) -> None:
    record = decide(KEY, row(**fields), failure, policy, NOW)
    if isinstance(record, Postponed):
        assert ("queued", record.next, False) == outcome
    else:
        assert (record.state, None, record.letter) == outcome
    assert (record.key, record.row, record.reason) == (KEY, "k", failure.reason)


@given(
    st.builds(
        AttemptFailure,
        text=st.just("why"),
        reason=st.sampled_from(REASONS),
        maybe=st.booleans(),
        passes=st.booleans(),
        after=st.none() | st.floats(0, 1e6),
    ),
    st.builds(SendPolicy, st.sampled_from(["ask", "drop"]), st.just(0.0)),
    st.integers(1, 1000),
)
def test_what_may_have_been_sent_is_never_tried_again_unasked(
    failure: AttemptFailure, policy: SendPolicy, attempts: int
) -> None:
    made = row(attempts=attempts)
    record = decide(KEY, made, failure, policy, NOW)
    if failure.maybe:
        assert isinstance(record, GivenUp)
        assert record.state == "unknown"
    if isinstance(record, Postponed):
        assert NOW <= record.next < made.expires
        assert record.next >= NOW + round((failure.after or 0) * 1000)


def test_waiting_grows_and_has_an_end() -> None:
    assert [backoff(attempts) for attempts in (0, 1, 2, 3, 7, 500)] == [1, 1, 2, 4, 60, 60]

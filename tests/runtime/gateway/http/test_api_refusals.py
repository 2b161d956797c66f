"""What a run without an answer means to a client of the API, and whether it asks again."""

from __future__ import annotations

import pytest

from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from runtime.gateway.http.api_refusals import ABORTED, failure_of, refusal_of
from runtime.gateway.journal.runs import Run, RunState


@pytest.mark.parametrize(
    ("state", "error", "status", "type", "again"),
    [
        ("error", "transient", 503, "api_error", True),
        ("error", "unavailable", 503, "api_error", True),
        ("error", "rate_limited", 429, "rate_limit_error", True),
        ("error", "refused", 400, "invalid_request_error", True),
        ("error", "too_large", 400, "invalid_request_error", True),
        ("error", "misconfigured", 502, "api_error", False),
        ("error", "needs_login", 502, "api_error", False),
        ("error", "died", 502, "api_error", False),
        ("error", "", 502, "api_error", False),
        ("timeout", "", 504, "api_error", False),
        ("expired", "", 504, "api_error", False),
    ],
)
def test_a_failure(state: RunState, error: str, status: int, type: str, again: bool) -> None:
    refusal = failure_of(Run("r", "s", "a", state=state, error=error))
    assert refusal is not None
    assert (refusal.status, refusal.type) == (status, type)
    assert ("x-should-retry" not in refusal.headers) == again
    assert ("Retry-After" in refusal.headers) == (status in (429, 503))


def test_an_answer_is_no_failure_and_an_abortion_is_one() -> None:
    assert failure_of(Run("r", "s", "a", state="final")) is None
    aborted = failure_of(Run("r", "s", "a", state="aborted"))
    assert aborted is not None
    assert (aborted.status, aborted.message) == (400, ABORTED)


def test_what_a_method_refuses() -> None:
    wrong = refusal_of(RemoteError(INVALID_REQUEST, "no"))
    assert (wrong.status, wrong.body) == (
        400,
        {"error": {"message": "no", "type": "invalid_request_error"}},
    )
    assert refusal_of(RemoteError(UNAVAILABLE, "x")).headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (RemoteError(UNAVAILABLE, "x", retryable=True), 503, {"Retry-After": "1"}),
        (
            RemoteError(UNAVAILABLE, "x", retryable=True, retry_after_ms=300),
            503,
            {"Retry-After": "1"},
        ),
        (
            RemoteError(UNAVAILABLE, "x", retryable=True, retry_after_ms=60_001),
            503,
            {"Retry-After": "61"},
        ),
        (RemoteError(UNAVAILABLE, "x"), 503, {"x-should-retry": "false"}),
        (
            RemoteError(UNAVAILABLE, "x", details={"maybeExecuted": True}),
            502,
            {"x-should-retry": "false"},
        ),
        (RemoteError(UNAVAILABLE, "x", details="strange"), 503, {"x-should-retry": "false"}),
    ],
)
def test_whether_and_when_to_ask_again(
    error: RemoteError, status: int, headers: dict[str, str]
) -> None:
    refusal = refusal_of(error)
    assert (refusal.status, refusal.headers) == (status, headers)

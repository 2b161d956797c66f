from __future__ import annotations

import pytest

from ipc.errors import CallTimeout, ConnectionFailed, IpcError, PeerGone, RemoteError
from workers.agents.answers import BrokenAnswer
from workers.agents.openclaw.failures import failure_of_call, failure_of_run, failure_of_session
from workers.errors import (
    Misconfigured,
    NeedsLogin,
    RateLimited,
    Transient,
    TurnRefused,
    TurnTooLarge,
)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refusal", TurnRefused),
        ("rate_limit", RateLimited),
        ("context_length", TurnTooLarge),
        ("timeout", Transient),
        ("unknown", BrokenAnswer),
    ],
)
def test_the_error_of_a_run_has_its_class(kind: str, error: type[Exception]) -> None:
    assert type(failure_of_run(kind, "words")) is error


def refused(code: str, detail: str = "", *, retryable: bool = False) -> RemoteError:
    return RemoteError(code, "words", details={"code": detail}, retryable=retryable)


@pytest.mark.parametrize(
    ("raised", "error", "says"),
    [
        (refused("INVALID_REQUEST", "AUTH_TOKEN_MISMATCH"), NeedsLogin, "token and password"),
        (refused("NOT_PAIRED", "PAIRING_REQUIRED"), NeedsLogin, "approve the device d1"),
        (refused("INVALID_REQUEST", "DEVICE_IDENTITY_REQUIRED"), NeedsLogin, "words"),
        (refused("UNAVAILABLE", retryable=True), Transient, "words"),
        (refused("INVALID_REQUEST", "PROTOCOL_MISMATCH"), Misconfigured, "words"),
        (ConnectionFailed("ws://a", "refused", retryable=True), Transient, "refused"),
        (ConnectionFailed("ws://a", "HTTP 404", retryable=False), Misconfigured, "HTTP 404"),
        (PeerGone("ws://a", maybe_executed=True), Transient, "gone"),
    ],
)
def test_a_session_that_does_not_open(raised: IpcError, error: type[Exception], says: str) -> None:
    found = failure_of_session(raised, "d1")
    assert type(found) is error
    assert says in str(found)


@pytest.mark.parametrize(
    ("raised", "asked_more", "error"),
    [
        (refused("INVALID_REQUEST"), False, Misconfigured),
        (refused("INVALID_REQUEST"), True, TurnRefused),
        (refused("FORBIDDEN"), False, Misconfigured),
        (refused("UNAVAILABLE", retryable=True), False, Transient),
        (refused("UNAVAILABLE"), False, BrokenAnswer),
        (refused("AGENT_TIMEOUT"), False, Transient),
        (refused("RATE_LIMITED"), False, RateLimited),
        (CallTimeout("agent", 90), False, Transient),
        (ConnectionFailed("ws://a", "refused", retryable=True), False, Transient),
        (IpcError("strange"), False, BrokenAnswer),
    ],
)
def test_a_request_that_is_refused(
    raised: IpcError, asked_more: bool, error: type[Exception]
) -> None:
    assert type(failure_of_call(raised, asked_more=asked_more)) is error


def test_a_requested_wait_is_passed_on() -> None:
    asked = RemoteError("RATE_LIMITED", "slowly", retry_after_ms=1500)
    found = failure_of_call(asked, asked_more=False)
    assert isinstance(found, RateLimited)
    assert found.retry_after == 1.5

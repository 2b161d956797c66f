"""When a client tries again, as a table."""

from __future__ import annotations

import pytest

from ipc.errors import ConnectionFailed, PeerGone, RemoteError
from ipc.websocket.backoff import (
    CLIENT_POLICY,
    Backoff,
    RetryPolicy,
    asked_wait,
    is_final,
    is_starting,
    is_transient,
)

REFUSED = ConnectionFailed("ws://x", "Connection refused", retryable=True)


def client(chance: float = 0.5) -> Backoff:
    return Backoff(CLIENT_POLICY, lambda: chance)


def closed(code: int, *, retryable: bool = True) -> ConnectionFailed:
    return ConnectionFailed("ws://x", f"closed with {code}", retryable=retryable, code=code)


def unavailable(reason: str | None = None, after: int | None = None) -> RemoteError:
    details = None if reason is None else {"reason": reason}
    return RemoteError("UNAVAILABLE", "x", details=details, retryable=True, retry_after_ms=after)


def refused(code: str, *, retryable: bool = False) -> RemoteError:
    return RemoteError("INVALID_REQUEST", "x", details={"code": code}, retryable=retryable)


def test_the_first_waits_outlive_a_restart_and_the_next_are_doubled() -> None:
    backoff = client()
    waits = [backoff.wait(REFUSED) for _ in range(10)]
    assert waits == [0.15, 0.35, 0.75, 1.5, 3.0, 6.0, 12.0, 24.0, 30.0, 30.0]
    backoff.reset()
    assert backoff.wait(REFUSED) == 0.15


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 2.4), (0.75, 3.3)])
def test_later_waits_are_spread(chance: float, wait: float) -> None:
    backoff = client(chance)
    for _ in range(4):
        backoff.wait(REFUSED)
    assert backoff.wait(REFUSED) == pytest.approx(wait)


def test_a_client_that_tries_for_ever_does_not_overflow() -> None:
    backoff = client()
    backoff.failures = 5000
    assert backoff.wait(REFUSED) == 30.0


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (unavailable("startup-sidecars", 500), 0.5),
        (unavailable("startup-sidecars", 50), 0.1),
        (unavailable("startup-sidecars", 60_000), 2.0),
        (unavailable("startup-sidecars"), 0.1),
        (unavailable("gateway-restarting", 1000), 1.0),
        (unavailable(None, 3000), 3.0),  # as the least
        (unavailable(None, 10), 0.15),
    ],
)
def test_what_the_server_asks_for_counts(error: RemoteError, wait: float) -> None:
    assert client().wait(error) == pytest.approx(wait)


def test_only_a_starting_gateway_may_ask_for_less() -> None:
    assert asked_wait(REFUSED) == 0
    assert is_starting(unavailable("startup-sidecars"))
    assert not is_starting(unavailable())
    assert not is_starting(RemoteError("UNAVAILABLE", "x", details={"reason": "startup-sidecars"}))


@pytest.mark.parametrize(
    ("error", "explained", "vain"),
    [
        (closed(1012), True, False),
        (closed(1006), True, False),
        (closed(503), True, False),
        (closed(1008, retryable=False), False, True),
        (closed(1002, retryable=False), False, True),
        (REFUSED, False, False),
        (unavailable("startup-sidecars"), True, False),
        (unavailable("gateway-restarting"), True, False),
        (unavailable(), False, False),
        (refused("AUTH_TOKEN_MISMATCH"), False, True),
        (refused("AUTH_RATE_LIMITED", retryable=True), False, True),
        (refused("PROTOCOL_MISMATCH"), False, True),
        (PeerGone("x", maybe_executed=False), False, False),
    ],
)
def test_what_a_failure_means(error: Exception, explained: bool, vain: bool) -> None:
    assert (is_transient(error), is_final(error)) == (explained, vain)


def test_a_policy_may_have_waits_of_its_own_while_the_gateway_starts() -> None:
    policy = RetryPolicy((0.15, 1.5), most=1.5, jitter=0.0, starting=(0.5, 1.0))
    backoff = Backoff(policy, lambda: 0.0)
    starts = unavailable("startup-sidecars", 100)
    assert [backoff.wait(starts) for _ in range(3)] == [0.5, 1.0, 1.0]
    backoff.reset()
    limited = unavailable(None, 60_000)  # what the server asks for does not count here
    assert [backoff.wait(limited) for _ in range(4)] == [0.15, 1.5, 1.5, 1.5]

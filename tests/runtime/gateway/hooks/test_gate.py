"""The token of hooks, and the throttle of guesses (as recorded of OpenClaw)."""

from __future__ import annotations

import pytest

from runtime.gateway.hooks.gate import IN_QUERY, HookGate, HookRefused

RIGHT = {"Authorization": "Bearer hooktok"}
WRONG = {"Authorization": "Bearer wrong"}


def asked(
    gate: HookGate, headers: dict[str, str], now: float = 0.0, address: str = "127.0.0.1"
) -> int:
    """Return the status of a refusal, 0 for none."""
    try:
        gate.check("POST", headers, (), address, now)
    except HookRefused as refused:
        return refused.status if refused.body() == refused.error.encode() else -1
    return 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (RIGHT, 0),
        ({"Authorization": "bearer  hooktok "}, 0),
        ({"X-OpenClaw-Token": "hooktok"}, 0),
        ({}, 401),
        (WRONG, 401),
        ({"Authorization": "hooktok"}, 401),
        ({"Authorization": "Basic hooktok"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Bearer hooktok2"}, 401),
        ({"Authorization": "Bearer \udcff"}, 401),
        ({"Authorization": "Bearer wrong", "X-OpenClaw-Token": "hooktok"}, 401),
    ],
)
def test_who_has_the_token_is_let_in(headers: dict[str, str], status: int) -> None:
    assert asked(HookGate("hooktok"), headers) == status


def test_the_refusal_of_a_stranger_says_no_more_than_that() -> None:
    with pytest.raises(HookRefused) as refused:
        HookGate("hooktok").check("POST", WRONG, (), "a", 0.0)
    assert (refused.value.error, refused.value.headers) == ("Unauthorized", {})


def test_the_twentieth_failure_in_a_minute_locks_the_address_for_one() -> None:
    gate = HookGate("hooktok")
    assert [asked(gate, WRONG, n * 3.0) for n in range(22)] == [401] * 19 + [429] * 3
    with pytest.raises(HookRefused) as refused:
        gate.check("POST", {}, (), "127.0.0.1", 57.0)
    assert (refused.value.error, refused.value.headers) == (
        "Too Many Requests",
        {"Retry-After": "60"},
    )
    assert asked(gate, WRONG, 57.0, address="203.0.113.9") == 401  # another one is not concerned
    assert asked(gate, WRONG, 116.9) == 429
    assert asked(gate, WRONG, 117.0) == 401


def test_slow_failures_do_not_lock() -> None:
    gate = HookGate("hooktok")
    assert {asked(gate, WRONG, n * 3.2) for n in range(200)} == {401}


def test_the_right_token_works_meanwhile_and_forgets_the_failures() -> None:
    gate = HookGate("hooktok")
    for _ in range(25):
        asked(gate, WRONG)
    assert asked(gate, WRONG) == 429
    assert asked(gate, RIGHT) == 0
    assert [asked(gate, WRONG) for _ in range(20)] == [401] * 19 + [429]


@pytest.mark.parametrize(
    ("method", "query", "status", "text", "headers"),
    [
        ("POST", ("token",), 400, IN_QUERY, {}),
        ("GET", ("token",), 400, IN_QUERY, {}),
        ("GET", (), 405, "Method Not Allowed", {"Allow": "POST"}),
        ("OPTIONS", ("k",), 405, "Method Not Allowed", {"Allow": "POST"}),
    ],
)
def test_other_requests_are_refused_without_a_look_at_the_token(
    method: str, query: tuple[str, ...], status: int, text: str, headers: dict[str, str]
) -> None:
    for given in (RIGHT, WRONG):
        with pytest.raises(HookRefused) as refused:
            HookGate("hooktok").check(method, given, query, "a", 0.0)
        assert (refused.value.status, refused.value.error) == (status, text)
        assert refused.value.headers == headers

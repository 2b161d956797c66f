"""The access rules of one gateway, made from its configuration."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from runtime.config.model import GatewayConfig
from runtime.gateway.access.client_address import ClientAddress
from runtime.gateway.access.guard import AccessGuard, Turn
from runtime.gateway.access.throttle import DEVICE, SHARED

FAR, OTHER = ClientAddress("203.0.113.9", False), ClientAddress("203.0.113.10", False)


class Clock:
    """The time that a guard sees."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def guard(clock: Clock, proxies: list[str] | None = None, **auth: object) -> AccessGuard:
    limits = {"maxAttempts": 3, "windowMs": 60_000, "lockoutMs": 30_000}
    given = {"token": "right", "rateLimit": limits} | auth
    config = msgspec.convert({"auth": given, "trustedProxies": proxies or []}, GatewayConfig)
    return AccessGuard(config, "session", clock)


def test_three_wrong_secrets_lock_an_address_for_the_configured_time() -> None:
    clock = Clock()
    made = guard(clock)
    for _ in range(3):
        assert made.locked(SHARED, FAR) == 0
        assert made.judge("wrong", FAR) == (False, 0.0)
    assert made.locked(SHARED, FAR) == 30
    assert made.locked(SHARED, OTHER) == 0
    assert made.locked(DEVICE, FAR) == 0, "tokens of devices are counted apart"
    clock.now += 31
    assert made.locked(SHARED, FAR) == 0


def test_a_right_secret_covers_for_no_wrong_ones() -> None:
    """Else a program that signs in every second would hide another one that guesses."""
    clock = Clock()
    made = guard(clock)
    for given in ("wrong", "right", "wrong", "right"):
        assert made.judge(given, FAR) == (given == "right", 0.25 if given == "right" else 0.0)
    clock.now += 10
    assert made.judge("right", FAR) == (True, 0.0)
    made.judge("wrong", FAR)
    assert made.locked(SHARED, FAR) == 30


def test_turns_that_end_at_once_begin_one_after_the_other() -> None:
    """However many wait: none begins inside the end of another."""
    made, began, turns = guard(Clock()), list[int](), list[Turn]()
    depth = deepest = 0

    def attempt(number: int) -> None:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        began.append(number)
        if number >= 8:
            turns[number].end()
        depth -= 1

    for number in range(2000):
        turns.append(made.turn(FAR, partial(attempt, number)))
        turns[number].take()
    assert began == list(range(8))
    turns[9].end()  # gone while it waited
    turns[0].end()
    assert began == [*range(9), *range(10, 2000)]
    assert deepest == 1


@pytest.mark.parametrize(
    ("given", "accepted"), [("right", True), ("pass", True), ("session", False), ("", False)]
)
def test_token_and_password_are_accepted_and_the_supervisors_secret_is_not(
    given: str, accepted: bool
) -> None:
    assert guard(Clock(), password="pass").judge(given, FAR)[0] is accepted


def test_a_trusted_proxy_is_looked_through() -> None:
    made = guard(Clock(), ["10.0.0.1"])
    headers = {"x-forwarded-for": "203.0.113.9"}
    assert made.address_of("10.0.0.1", False, headers).address == "203.0.113.9"
    assert made.address_of("10.0.0.2", False, headers).address == "10.0.0.2"

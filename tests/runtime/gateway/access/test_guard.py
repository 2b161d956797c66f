"""The access rules of one gateway, made from its configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
import pytest

from runtime.config.gateway_model import GatewayConfig
from runtime.gateway.access.client_address import ClientAddress
from runtime.gateway.access.guard import AccessGuard, SignInTurn
from runtime.gateway.access.throttle import DEVICE, SHARED

FAR, OTHER = ClientAddress("203.0.113.9", False), ClientAddress("203.0.113.10", False)


class Clock:
    """The time that a guard sees."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def guard(
    clock: Callable[[], float], proxies: list[str] | None = None, **auth: object
) -> AccessGuard:
    limits = {"maxAttempts": 3, "windowMs": 60_000, "lockoutMs": 30_000}
    given = {"token": "right", "rateLimit": limits} | auth
    config = msgspec.convert({"auth": given, "trustedProxies": proxies or []}, GatewayConfig)
    return AccessGuard(config, "session", clock)


def test_three_wrong_secrets_lock_an_address_for_the_configured_time() -> None:
    clock = Clock()
    made = guard(clock)
    for _ in range(3):
        assert made.locked(SHARED, FAR) == 0
        assert made.check_secret("wrong", FAR) == (False, 0.0)
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
        assert made.check_secret(given, FAR) == (
            given == "right",
            0.25 if given == "right" else 0.0,
        )
    clock.now += 10
    assert made.check_secret("right", FAR) == (True, 0.0)
    made.check_secret("wrong", FAR)
    assert made.locked(SHARED, FAR) == 30


@pytest.mark.virtual_time
async def test_turns_follow_one_another_and_none_is_taken_for_who_is_gone() -> None:
    made, began, turns = guard(Clock()), list[int](), list[SignInTurn]()

    def attempt(number: int) -> None:
        began.append(number)
        if number >= 20:
            turns[number].end()  # answered at once

    for number in range(40):
        turns.append(made.turn(FAR, partial(attempt, number)))
        turns[number].request()
    assert began == list(range(8))
    for number in range(20):  # given up together, those in flight first
        turns[number].end()
    await asyncio.sleep(10)
    assert sorted(began) == [*range(8), *range(20, 40)]
    turns[0].end()  # twice is once
    late = made.turn(FAR, partial(attempt, 0))
    late.request()
    assert began[-1] == 0


@pytest.mark.virtual_time
async def test_who_waits_for_no_answer_has_no_more_tries_than_who_does() -> None:
    """Each secret that was looked at takes a place for as long as a right one would."""
    loop, began = asyncio.get_running_loop(), list[SignInTurn]()
    made = guard(loop.time)

    def attempt() -> None:
        began.append(turns[len(began)])
        loop.call_soon(began[-1].give_up)

    turns = [made.turn(FAR, attempt) for _ in range(200)]
    for turn in turns:
        turn.request()
    await asyncio.sleep(1.0)
    assert 24 <= len(began) <= 40, "eight in a quarter of a second"


@pytest.mark.parametrize(
    ("given", "accepted"), [("right", True), ("pass", True), ("session", False), ("", False)]
)
def test_token_and_password_are_accepted_and_the_supervisors_secret_is_not(
    given: str, accepted: bool
) -> None:
    assert guard(Clock(), password="pass").check_secret(given, FAR)[0] is accepted


def test_a_trusted_proxy_is_looked_through() -> None:
    made = guard(Clock(), ["10.0.0.1"])
    headers = {"x-forwarded-for": "203.0.113.9"}
    assert made.address_of("10.0.0.1", False, headers).address == "203.0.113.9"
    assert made.address_of("10.0.0.2", False, headers).address == "10.0.0.2"

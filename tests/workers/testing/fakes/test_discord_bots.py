from __future__ import annotations

import pytest

from workers.testing.fakes.discord_bots import FakeDiscordBot, RestFault, number_in, token_of


@pytest.mark.parametrize(
    ("token", "number"), [(token_of("42"), "42"), ("x", None), ("", None), ("é.a.b", None)]
)
def test_a_token_holds_the_number_of_its_bot(token: str, number: str | None) -> None:
    assert number_in(token) == number


def test_a_fault_is_met_as_often_as_it_says() -> None:
    bot = FakeDiscordBot("1")
    bot.faults += [RestFault("POST", status=500, times=2), RestFault("GET", times=-1)]
    met = [bot.fault_for("POST /x") is not None for _ in range(3)]
    assert met == [True, True, False]
    assert all(bot.fault_for("GET /x") for _ in range(5))


def test_a_limit_is_a_refusal_with_its_time() -> None:
    refusal = RestFault(status=429, retry_after=1.5, everywhere=True).refusal()
    assert refusal is not None
    assert (refusal.body["retry_after"], refusal.body["global"]) == (1.5, True)
    assert RestFault().refusal() is None

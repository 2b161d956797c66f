"""One-time tokens: for one device, for a minute, and never stored."""

from __future__ import annotations

from runtime.gateway.devices.bootstrap import LIFE_MS, MOST, BootstrapTokens


def test_a_token_is_the_first_devices_for_a_minute() -> None:
    tokens = BootstrapTokens()
    text, ends = tokens.create(["operator.read"], 1000)
    assert ends == 1000 + LIFE_MS
    assert tokens.redeem("another", "a", 1000) is None
    assert tokens.redeem(text, "a", 1000) == ("operator.read",)
    assert tokens.redeem(text, "b", 1001) is None
    assert tokens.redeem(text, "a", ends - 1) == ("operator.read",)
    assert tokens.redeem(text, "a", ends) is None


def test_a_clock_that_is_set_back_lets_no_token_live_longer() -> None:
    tokens = BootstrapTokens()
    text, ends = tokens.create([], 10**12)
    assert tokens.redeem(text, "a", ends - 2 * LIFE_MS + 1) == (), "clocks are set by seconds"
    assert tokens.redeem(text, "a", ends - 2 * LIFE_MS) is None
    assert tokens.redeem(text, "a", ends - 1) is None


def test_only_so_many_wait_and_the_oldest_goes() -> None:
    tokens = BootstrapTokens()
    made = [tokens.create([], 0)[0] for _ in range(MOST + 1)]
    assert tokens.redeem(made[0], "a", 1) is None
    assert all(tokens.redeem(each, "a", 1) == () for each in made[1:])


def test_it_is_kept_as_a_hash() -> None:
    tokens = BootstrapTokens()
    text, _ = tokens.create([], 0)
    assert text not in repr(vars(tokens))
    assert tokens.redeem("\ud800", "a", 0) is None

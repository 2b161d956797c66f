from __future__ import annotations

import pytest

from runtime.supervisor.policy import GATEWAY_POLICY, Policy
from runtime.supervisor.refusals import RefusalPolicy
from tests.support.accounts import ACCOUNT_POLICY


@pytest.mark.parametrize(("failures", "base"), [(1, 5), (9, 300), (10, 900), (10_000, 900)])
@pytest.mark.parametrize(("chance", "share"), [(-1.0, 0.8), (0.0, 1.0), (0.999, 1.1998)])
def test_chance_spreads_every_delay_by_a_fifth(
    failures: int, base: float, chance: float, share: float
) -> None:
    assert ACCOUNT_POLICY.delay(failures, chance) == pytest.approx(base * share)


def test_without_a_slow_tail_the_wait_stays_at_its_cap() -> None:
    assert GATEWAY_POLICY.delay(10_000, 0.0) == GATEWAY_POLICY.maximum


def test_the_spread_is_none_where_chance_has_no_share() -> None:
    assert Policy(jitter=0.0).spread(-1.0) == Policy(jitter=0.0).spread(0.999) == 1.0


def test_a_policy_is_without_a_word_that_of_an_account() -> None:
    """Two places have these numbers: tests make policies that differ in one of them."""
    assert Policy(refusals=RefusalPolicy()) == ACCOUNT_POLICY

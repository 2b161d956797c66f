from __future__ import annotations

import pytest

from runtime.supervisor.accounts.storm_rules import StormDetector


@pytest.mark.parametrize(
    ("accounts", "crashes", "rages"),
    [(40, 7, False), (40, 8, True), (10, 4, False), (10, 5, True), (3, 3, False), (41, 8, False)],
)
def test_a_fifth_of_all_accounts_and_at_least_five_make_a_storm(
    accounts: int, crashes: int, rages: bool
) -> None:
    storm = StormDetector()
    for number in range(crashes):
        storm.record_crash(f"irc:a{number}", 1.0)
    assert storm.is_storm(accounts, 2.0) is rages


def test_one_account_that_crashes_often_is_no_storm() -> None:
    storm = StormDetector()
    for number in range(100):
        storm.record_crash("irc:a", number / 10)
    assert storm.count_crashed(10.0) == 1


def test_a_storm_ends_thirty_seconds_after_the_crashes() -> None:
    storm = StormDetector()
    for number in range(5):
        storm.record_crash(f"irc:a{number}", 100.0)
    assert storm.is_storm(5, 129.9)
    assert not storm.is_storm(5, 130.0)
    assert storm.count_crashed(130.0) == 0


def test_a_storm_ends_when_its_cause_is_removed() -> None:
    storm = StormDetector()
    for number in range(5):
        storm.record_crash(f"irc:a{number}", 100.0)
    storm.clear()
    assert not storm.is_storm(5, 100.0)

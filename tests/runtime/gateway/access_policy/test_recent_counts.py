"""Counts of the last 24 hours."""

from __future__ import annotations

from runtime.gateway.access_policy.recent_counts import HOUR_MS, NEWEST, RecentCounts, RecentReasons

NOON = 500_000 * HOUR_MS


def test_what_is_older_than_a_day_is_not_counted() -> None:
    counts = RecentCounts()
    for hours, reason in ((0, "bot"), (1, "full"), (1, "full"), (2, "full"), (23, "bot")):
        counts.add("irc:a", reason, NOON + hours * HOUR_MS)
    assert counts.of("irc:a", NOON + 23 * HOUR_MS) == {"full": 3, "bot": 2}
    assert counts.of("irc:a", NOON + 24 * HOUR_MS) == {"full": 3, "bot": 1}
    assert counts.of("irc:a", NOON + 25 * HOUR_MS) == {"full": 1, "bot": 1}
    assert counts.of("irc:a", NOON + 48 * HOUR_MS) == {}


def test_an_account_that_is_forgotten_has_none() -> None:
    counts = RecentCounts()
    counts.add("irc:a", "bot", NOON)
    assert counts.of("irc:b", NOON) == {}
    counts.forget("irc:a")
    assert counts.of("irc:a", NOON) == {}


def test_the_reasons_of_the_newest_messages_are_known() -> None:
    reasons = RecentReasons()
    for number in range(NEWEST + 1):
        reasons.add("irc:a", str(number), "dm-not-listed")
    assert reasons.of("irc:a", "0") is None  # has given way
    assert reasons.of("irc:a", "1") == "dm-not-listed"
    assert reasons.of("irc:b", "1") is None

"""When a conversation begins anew by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.sessions import ResetConfig
from runtime.gateway.conversations.resets import SessionReset, next_reset, reset_due

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def daily(hour: int, zone: str | None = None) -> ResetConfig:
    return ResetConfig(daily_hour=hour, zone=zone)


def test_a_session_goes_on_for_ever_where_nothing_is_configured() -> None:
    assert next_reset(ResetConfig(), 0, UTC) is None
    assert reset_due(ResetConfig(), 0, 10**15, UTC) is None


def test_a_pause_ends_it() -> None:
    config, last = ResetConfig(idle_minutes=30), at("2026-11-29 12:00")
    end = last + 30 * 60_000
    assert reset_due(config, last, end - 1, UTC) is None
    found = reset_due(config, last, end, UTC)
    assert found == SessionReset(end, "idle")
    assert "idleMinutes" in found.reason
    assert reset_due(config, last, last - 1, UTC) is None


DAYS = [
    ("2026-11-29 03:59:59", 4, "2026-11-29 04:00"),
    ("2026-11-29 04:00", 4, "2026-11-30 04:00"),
    ("2026-11-29 12:00", 4, "2026-11-30 04:00"),
    ("2026-11-29 00:00", 0, "2026-11-30 00:00"),
    ("2026-11-28 23:59:59.999", 0, "2026-11-29 00:00"),
    ("2026-12-31 23:30", 23, "2027-01-01 23:00"),
    ("2026-10-25 01:00", 4, "2026-10-25 04:00"),  # the day of 25 hours
    ("2026-10-25 00:30", 2, "2026-10-25 02:00"),  # that hour comes twice
    ("2026-03-29 01:00", 2, "2026-03-29 03:00"),  # that hour does not come
    ("2026-03-29 03:00", 2, "2026-03-30 02:00"),
]


@pytest.mark.parametrize(("last", "hour", "reset"), DAYS)
def test_an_hour_of_the_day_ends_it(last: str, hour: int, reset: str) -> None:
    found = next_reset(daily(hour, "Europe/Berlin"), at(last, "Europe/Berlin"), UTC)
    assert found == SessionReset(at(reset, "Europe/Berlin"), "daily")
    assert "dailyHour" in found.reason
    assert next_reset(daily(hour), at(last, "Europe/Berlin"), BERLIN) == found


def test_the_zone_is_the_configured_one_or_the_host_s() -> None:
    last = at("2026-11-29 12:00")
    assert next_reset(daily(0, "Asia/Tokyo"), last, BERLIN) == SessionReset(
        at("2026-11-29 15:00"), "daily"
    )
    assert next_reset(daily(0), last, BERLIN) == SessionReset(at("2026-11-29 23:00"), "daily")


def test_the_day_is_that_of_the_zone() -> None:
    last = at("2026-11-28 18:00", "America/Los_Angeles")  # the 29th of UTC
    found = reset_due(daily(20), last, last + 7_200_000, ZoneInfo("America/Los_Angeles"))
    assert found == SessionReset(last + 7_200_000, "daily")


def test_a_day_may_be_left_out() -> None:
    last = at("2011-12-29 05:00", "Pacific/Apia")  # the 30th was none there
    found = next_reset(daily(4, "Pacific/Apia"), last, UTC)
    assert found == SessionReset(at("2011-12-31 04:00", "Pacific/Apia"), "daily")


@pytest.mark.parametrize(
    ("last", "why"), [("2026-11-29 03:50", "daily"), ("2026-11-29 04:00", "idle")]
)
def test_whichever_is_due_first_counts(last: str, why: str) -> None:
    found = next_reset(ResetConfig(idle_minutes=30, daily_hour=4), at(last), UTC)
    assert found is not None
    assert found.why == why


@pytest.mark.parametrize("last", [-1, 10**16, 10**30])
def test_a_clock_that_is_wrong_resets_nothing_daily(last: int) -> None:
    assert next_reset(daily(4), last, UTC) is None
    assert next_reset(ResetConfig(daily_hour=4, idle_minutes=1), last, UTC) == SessionReset(
        last + 60_000, "idle"
    )


@given(
    st.integers(0, 4 * 10**12),
    st.integers(0, 23),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_a_daily_reset_is_within_two_days_and_at_its_hour(last: int, hour: int, zone: str) -> None:
    found = next_reset(daily(hour, zone), last, UTC)
    assert found is not None
    assert last < found.at <= last + 50 * 3_600_000
    local = datetime.fromtimestamp(found.at / 1000, ZoneInfo(zone))
    assert local.hour == hour or (local.hour - hour) % 24 <= 1
    assert reset_due(daily(hour, zone), last, found.at, UTC) == found
    assert reset_due(daily(hour, zone), last, found.at - 1, UTC) is None
    assert reset_due(daily(hour, zone), found.at, found.at, UTC) is None

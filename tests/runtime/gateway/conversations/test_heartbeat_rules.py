"""When heartbeats come, and which answers to them say nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runtime.config.timers import ActiveHours, HeartbeatConfig
from runtime.gateway.conversations.heartbeat_rules import is_active, next_beat, without_token

MINUTE = 60_000
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("HEARTBEAT_OK", None),
        ("  **HEARTBEAT_OK**\n", None),
        ("", None),
        ("HEARTBEAT_OK all quiet", None),
        ("nothing new. HEARTBEAT_OK", None),
        ("The build is red.", "The build is red."),
        ("HEARTBEAT_OK " + "x" * 301, "x" * 301),
        ("He said HEARTBEAT_OK, then left", "He said HEARTBEAT_OK, then left"),
    ],
)
def test_only_what_says_something_is_said(answer: str, said: str | None) -> None:
    assert without_token(answer) == said


def test_a_heartbeat_comes_after_its_time_and_never_at_once_for_many() -> None:
    config = HeartbeatConfig(every="30m")
    assert next_beat(config, NOON, NOON, UTC) == NOON + 30 * MINUTE
    assert next_beat(config, NOON - 9_000 * MINUTE, NOON, UTC) == NOON
    assert next_beat(HeartbeatConfig(), NOON, NOON, UTC) is None


@pytest.mark.parametrize(
    ("start", "end", "zone", "wait"),
    [
        ("08:00", "22:00", None, 0),
        ("13:30", "22:00", None, 90),
        ("08:00", "12:00", None, 20 * 60),
        ("22:00", "06:00", None, 10 * 60),
        ("22:00", "13:00", None, 0),
        ("00:00", "24:00", None, 0),
        ("14:00", "22:00", "Europe/Berlin", 60),
    ],
)
def test_outside_of_its_hours_a_heartbeat_waits(
    start: str, end: str, zone: str | None, wait: int
) -> None:
    hours = ActiveHours(start=start, end=end, timezone=zone)
    config = HeartbeatConfig(every="1m", active_hours=hours)
    now = NOON + 17_003
    expected = now if not wait else NOON + wait * MINUTE
    assert next_beat(config, 0, now, UTC) == expected
    assert is_active(config, now, UTC) == (not wait)

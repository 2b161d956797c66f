"""The time as messages carry it, and a clock that somebody sets."""

from __future__ import annotations

import time

import pytest

from ipc import epoch
from ipc.epoch import SetClock, now_ms


def test_the_time_is_in_whole_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.9999)
    assert now_ms() == 1_700_000_000_999
    assert isinstance(now_ms(), int)


def test_a_clock_that_is_set_is_noticed_once_and_time_that_passes_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, slept = 1_000_000, 5_000
    monkeypatch.setattr(epoch, "now_ms", lambda: now)
    monkeypatch.setattr(epoch, "uptime_ms", lambda: slept)
    clock = SetClock()
    now, slept = now + 7_200_000, slept + 7_200_000  # also while the host sleeps
    assert clock.read() == (8_200_000, 0)
    now -= 3_600_000
    assert clock.read() == (4_600_000, -3_600_000)
    assert clock.read() == (4_600_000, 0)
    now, slept = now + 60_999, slept + 60_000  # adjusted while a minute passes
    assert clock.read() == (4_660_999, 0)
    now += 1
    assert clock.read() == (4_661_000, 1_000)


def test_the_time_since_the_start_only_grows() -> None:
    first = epoch.uptime_ms()
    assert 0 < first <= epoch.uptime_ms()

"""The time by which ages are measured, where the host's clock is set or was wrong."""

from __future__ import annotations

import pytest

from runtime.gateway.journal.age_clock import (
    DOUBT_SECONDS,
    LONG_SECONDS,
    STEP_SECONDS,
    AgeClock,
    arrival_times,
)

NOW, YEAR = 1.8e9, 365 * 86400.0


class Host:
    """A host's clock and its uptime."""

    def __init__(self) -> None:
        self.time, self.uptime = NOW, 100.0

    def age_clock(self, newest: float | None = None) -> AgeClock:
        made = AgeClock(lambda: self.time, lambda: self.uptime)
        made.begin(newest)
        return made

    def wait(self, seconds: float) -> None:
        self.time += seconds
        self.uptime += seconds


def test_the_time_is_that_of_the_host() -> None:
    host = Host()
    clock = host.age_clock(NOW - LONG_SECONDS)
    for seconds in (0.0, 60.0, YEAR):  # it was asleep
        host.wait(seconds)
        assert clock.read() == host.time


def test_a_clock_that_is_set_forward_counts_a_day_later() -> None:
    host = Host()
    clock = host.age_clock()
    host.time += YEAR
    for _ in range(24):
        assert clock.read() == pytest.approx(host.time - YEAR)
        host.wait(DOUBT_SECONDS / 24)
    for seconds in (0.0, 60.0):
        host.wait(seconds)
        assert clock.read() == host.time


@pytest.mark.parametrize("back", [YEAR, YEAR - STEP_SECONDS, 2 * YEAR])
def test_a_clock_that_is_set_right_again_counts_at_once(back: float) -> None:
    host = Host()
    clock = host.age_clock()
    host.time += YEAR
    clock.read()
    host.wait(60.0)
    host.time -= back
    assert clock.read() == host.time
    host.time += YEAR
    host.wait(DOUBT_SECONDS - 60.0)
    assert clock.read() == pytest.approx(host.time - YEAR), "and the next doubt begins anew"


def test_a_clock_that_is_set_by_little_or_back_counts_at_once() -> None:
    host = Host()
    clock = host.age_clock()
    for step in (STEP_SECONDS, -YEAR, 1.0):
        host.time += step
        assert clock.read() == host.time


@pytest.mark.parametrize(("off", "doubted"), [(LONG_SECONDS, False), (LONG_SECONDS + 1, True)])
def test_a_host_that_was_off_for_long_is_believed_after_a_day(off: float, doubted: bool) -> None:
    host = Host()
    clock = host.age_clock(NOW - off)
    assert clock.read() == (NOW - off if doubted else NOW)
    host.wait(DOUBT_SECONDS)
    assert clock.read() == host.time


@pytest.mark.parametrize(
    ("times", "following", "found"),
    [
        ([], None, []),
        ([1, 3, 2], None, [1, 3, 2]),  # none of the future: as they stand there
        ([1, 99, 99, 4], None, [1, 4, 4, 4]),
        ([1, 99, 98], 5, [1, 5, 5]),
        ([99, 98], None, [98, 98]),  # nothing came later
        ([7, 99, 2], None, [7, 2, 2]),
    ],
)
def test_what_came_by_a_clock_that_was_ahead_came_before_the_next(
    times: list[int], following: int | None, found: list[int]
) -> None:
    assert arrival_times(times, 10, following) == found

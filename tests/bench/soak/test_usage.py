"""Growth is fitted per process, and not over its beginning."""

from __future__ import annotations

import random

import pytest

from bench.soak.usage import MIB, Sample, Usage


def test_each_process_has_its_own_slope_without_its_beginning() -> None:
    usage = Usage()
    for at in range(0, 3600, 60):
        pid = 1 if at < 1800 else 2
        growth = 2 * at / 3600 if pid == 2 else 0.0
        begun = 30.0 if at >= 1900 or 300 <= at < 1800 else 5.0  # a beginning is small
        usage.take("gateway", pid, Sample(at, int((begun + growth) * MIB), 40 + at // 1800))
    first, second = usage.series(skip=600, warm_up=120)
    assert (first.pid, first.rss_slope, first.fds_slope) == (1, 0.0, 0.0)
    assert second.rss_slope == pytest.approx(2.0, abs=0.01)
    assert second.minutes == pytest.approx(27, abs=1.5)
    assert second.described()["fds"] == [41, 41]


def test_a_process_that_was_seen_too_little_is_left_out() -> None:
    usage = Usage()
    for at in range(4):
        usage.take("zygote", 7, Sample(at, MIB, 4))
    assert list(usage.series(skip=0, warm_up=0)) == []


def test_a_slope_that_is_noise_has_a_doubt_as_large_as_it() -> None:
    draw, usage = random.Random(7), Usage()
    level = 0.0
    for at in range(0, 1800, 5):
        level = 0.9 * level + draw.gauss(0, 0.1)  # neighbours are alike, as in a process
        usage.take("gateway", 1, Sample(at, int((90 + level) * MIB), 40))
        usage.take("supervisor", 2, Sample(at, int((50 + 8 * at / 3600 + level) * MIB), 40))
    noise, growth = usage.series(skip=0, warm_up=0)
    assert abs(noise.rss_slope) < noise.rss_doubt < 2.0
    assert growth.rss_slope - growth.rss_doubt > 5.0
    assert growth.described()["rssDoubtMiBPerHour"] == pytest.approx(growth.rss_doubt, abs=0.01)

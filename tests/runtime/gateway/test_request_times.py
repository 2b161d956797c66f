"""Requests by method and duration."""

from __future__ import annotations

import pytest

from runtime.gateway.request_times import BOUNDS, RequestTimes


@pytest.mark.parametrize(
    ("seconds", "place"),
    [(0.0, 0), (0.001, 0), (0.0011, 1), (0.3, 4), (10.0, 6), (10.1, 7)],
)
def test_a_request_counts_where_its_duration_belongs(seconds: float, place: int) -> None:
    times = RequestTimes()
    times.record("send", seconds)
    (row,) = times.by_method.values()
    assert [n for n, count in enumerate(row[:-1]) if count] == [place]
    assert row[-1] == seconds
    assert len(row) == len(BOUNDS) + 2


def test_durations_add_up_by_method() -> None:
    times = RequestTimes()
    for method in ("send", "send", "health"):
        times.record(method, 0.25)
    assert {method: (sum(row[:-1]), row[-1]) for method, row in times.by_method.items()} == {
        "send": (2, 0.5),
        "health": (1, 0.25),
    }


def test_requests_that_were_answered_together_count_each() -> None:
    times = RequestTimes()
    times.record("send", 0.25, 3)
    row = times.by_method["send"]
    assert (row[BOUNDS.index(0.5)], row[-1]) == (3, 0.75)


def test_answers_that_leave_together_count_by_when_their_requests_began() -> None:
    times = RequestTimes()
    assert not times.leaving
    for began in (9.9, 9.99, 9.991, 9.9995):
        times.on_answered("send", began)
    times.on_answered("poll", 9.9)
    times.on_answered("poll", 9.95)
    assert times.leaving
    assert not times.by_method
    times.on_sent(10.0)
    assert not times.leaving
    assert times.by_method["send"] == pytest.approx([1, 0, 2, 1, 0, 0, 0, 0, 0.1195])
    assert times.by_method["poll"] == pytest.approx([0, 0, 0, 2, 0, 0, 0, 0, 0.15])
    times.on_sent(11.0)
    assert sum(times.by_method["send"][:-1]) == 4  # each is counted once

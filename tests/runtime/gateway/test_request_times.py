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
    times.note("send", seconds)
    (row,) = times.by_method.values()
    assert [n for n, count in enumerate(row[:-1]) if count] == [place]
    assert row[-1] == seconds
    assert len(row) == len(BOUNDS) + 2


def test_durations_add_up_by_method() -> None:
    times = RequestTimes()
    for method in ("send", "send", "health"):
        times.note(method, 0.25)
    assert {method: (sum(row[:-1]), row[-1]) for method, row in times.by_method.items()} == {
        "send": (2, 0.5),
        "health": (1, 0.25),
    }


def test_requests_that_were_answered_together_count_each() -> None:
    times = RequestTimes()
    times.note("send", 0.25, 3)
    row = times.by_method["send"]
    assert (row[BOUNDS.index(0.5)], row[-1]) == (3, 0.75)

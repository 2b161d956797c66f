"""Every status counts under one of the words that the figures have."""

from __future__ import annotations

import pytest

from runtime.gateway.http.api_figures import OUTCOMES, ApiFigures, outcome_of


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "answered"),
        (400, "refused"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "refused"),
        (413, "refused"),
        (429, "throttled"),
        (502, "failed"),
        (503, "failed"),
    ],
)
def test_the_outcome_of_a_status(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome
    assert outcome in OUTCOMES
    assert outcome_of(status, failed=True) == "failed"


def test_all_outcomes_are_there_from_the_beginning() -> None:
    figures = ApiFigures(in_flight=2, streams=1)
    assert figures.figures() == {
        "inFlight": 2,
        "streams": 1,
        "ended": dict.fromkeys(OUTCOMES, 0),
    }


def test_refusals_are_counted_by_status() -> None:
    figures = ApiFigures()
    assert [figures.record_answer(each) for each in (200, 304, 404, 502, 403, 404)] == [
        False,
        False,
        True,
        False,
        True,
        True,
    ]
    assert figures.refusals() == {"403": 1, "404": 2}

"""What is called worse, and what the machine's own noise allows."""

from __future__ import annotations

import math

import pytest

from bench.measuring.comparison import Comparison, Figure, compare, report

COST = Figure("cost", "µs")
RATE = Figure("rate", "per s", more_is_better=True)
QUIET = [100.0] * 5
NOISY = [90.0, 95.0, 100.0, 105.0, 110.0]  # its quartiles are 10 % apart


@pytest.mark.parametrize(
    ("figure", "ours", "again", "verdict"),
    [
        (COST, 102.9, QUIET, "same"),
        (COST, 103.1, QUIET, "worse"),
        (COST, 96.9, QUIET, "better"),
        (RATE, 103.1, QUIET, "better"),
        (RATE, 96.9, QUIET, "worse"),
        (COST, 109.0, NOISY, "same"),
        (COST, 111.0, NOISY, "worse"),
    ],
)
def test_worse_is_beyond_three_percent_and_twice_the_spread(
    figure: Figure, ours: float, again: list[float], verdict: str
) -> None:
    # The A/A ratios are of ``again`` to ours: scaled, so that their spread stays the same.
    same = [value * ours / 100 for value in again]
    found = Comparison.of(figure, [ours] * 5, QUIET, same)
    assert found.verdict == verdict
    assert found.ratio.median == pytest.approx(ours / 100)


@pytest.mark.parametrize("figure", [COST, RATE])
def test_what_was_not_measured_is_worse(figure: Figure) -> None:
    found = Comparison.of(figure, [math.nan] * 2, [1.0] * 2, [1.0] * 2)
    assert found.verdict == "worse"
    assert "none" in report([found])


def test_a_ratio_is_of_the_two_of_a_pair() -> None:
    """The machine became three times as slow meanwhile: that is nobody's fault."""
    slower = [1.0, 2.0, 3.0]
    found = Comparison.of(COST, slower, slower, slower)
    assert (found.ratio.low, found.ratio.high, found.noise) == (1.0, 1.0, 0.0)


def test_only_what_was_measured_is_compared_and_what_is_worse_stands_out() -> None:
    measured = {"cost": {"ours": [2.0, 2.0], "theirs": [1.0, 1.0], "again": [2.0, 2.0]}}
    found = compare([RATE, COST], measured)
    assert [each.figure for each in found] == [COST]
    assert "WORSE" in report(found)

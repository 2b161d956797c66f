"""The few figures that every table is made of."""

from __future__ import annotations

import math

import pytest

from bench.measuring.figures import Spread, fixed, median, paired, percentile, short, table
from bench.measuring.windows import Window


def test_a_spread_is_a_median_with_its_rounds() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)


def test_ratios_are_of_pairs() -> None:
    assert paired([2.0, 9.0, 4.0], [1.0, 3.0, 2.0]) == Spread(2.0, 2.0, 3.0, 3)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 6), (0.99, 10), (1.0, 10)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    assert percentile(range(1, 11), share) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00123, "0.00123"), (1.234, "1.23"), (123.4, "123"), (12345, "12.3 k"), (3.4e6, "3.4 M")],
)
def test_a_number_has_three_figures(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_no_values_have_no_percentile(share: float) -> None:
    assert math.isnan(percentile([], share))


@pytest.mark.parametrize("name", ["p50", "p99", "mean"])
def test_a_window_without_an_operation_has_no_latency(name: str) -> None:
    latency = {"count": 0, "p50Us": 0.0, "p99Us": 0.0, "meanUs": 0.0}
    nothing, one = (
        Window(0.0, 1.0, 0, 0, {}, {"latency": latency | more})
        for more in ({}, dict.fromkeys(("count", f"{name}Us"), 2000))
    )
    assert math.isnan(nothing.latency(name))
    assert one.latency(name) == 2.0


@pytest.mark.parametrize(
    ("values", "middle"), [([3.0, math.nan, 1.0], 2.0), ([math.nan, 5.0], 5.0), ([], math.nan)]
)
def test_a_median_is_of_the_rounds_that_have_a_figure(values: list[float], middle: float) -> None:
    assert median(values) == pytest.approx(middle, nan_ok=True)
    assert Spread.of(values).median == pytest.approx(middle, nan_ok=True)


def test_what_has_no_figure_is_written_as_none() -> None:
    nothing = paired([1.0], [0.0])
    assert nothing.count == 0
    assert {str(nothing), short(math.nan), fixed(math.nan, 2)} == {"none"}
    assert fixed(1.25, 0) == "1"


def test_a_table_lines_up() -> None:
    assert table(("a", "bb"), [("1", "2")]).splitlines() == [
        "| a | bb |",
        "|---|----|",
        "| 1 | 2  |",
    ]

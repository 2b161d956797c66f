"""The few figures that every table is made of."""

from __future__ import annotations

import pytest

from bench.measuring.figures import Spread, paired, percentile, short, table


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


def test_a_table_lines_up() -> None:
    assert table(("a", "bb"), [("1", "2")]).splitlines() == [
        "| a | bb |",
        "|---|----|",
        "| 1 | 2  |",
    ]

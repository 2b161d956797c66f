"""Computes and formats medians and spreads. Pure.

A figure of no values is NaN: it is written as ``NONE``, and lies within no limit.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NONE = "none"


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, and their range."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of the values that are numbers."""
        known = _numbers(values)
        if not known:
            return cls(math.nan, math.nan, math.nan, 0)
        return cls(statistics.median(known), min(known), max(known), len(known))

    def __str__(self) -> str:
        if not self.count:
            return NONE
        return f"{short(self.median)} ({short(self.low)}–{short(self.high)})"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of ``values`` lie: nearest rank."""
    if not (ordered := sorted(values)):
        return math.nan
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Iterable[float]) -> float:
    """Return the median of the values that are numbers."""
    known = _numbers(values)
    return statistics.median(known) if known else math.nan


def _numbers(values: Iterable[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def paired(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return the spread of the ratios of values measured one after the other."""
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True) if b])


def short(value: float) -> str:
    """Write a number with three figures: 0.00123, 1.23, 12.3, 1.2 k, 3.4 M."""
    if math.isnan(value):
        return NONE
    size = abs(value)
    if size >= 999_500:
        return f"{value / 1e6:.3g} M"
    if size >= 9_995:
        return f"{value / 1e3:.3g} k"
    return f"{value:.0f}" if size >= 100 else f"{value:.3g}"


def fixed(value: float, digits: int = 1) -> str:
    """Write a number with so many digits behind the point."""
    return NONE if math.isnan(value) else f"{value:.{digits}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are also aligned in a terminal."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])

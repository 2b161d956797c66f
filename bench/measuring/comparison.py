"""Evaluates paired measurements of two products relative to the machine's noise. Pure.

Three systems are measured in every round: ours, theirs, and ours again. The ratios of ours to
theirs say what changed; those of ours again to ours (A/A) say what the machine adds by itself.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.measuring.figures import Spread, paired, short, table

ALLOWED = 0.03  # the least difference that counts, however quiet the machine is


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure to compare: its unit, and whether higher is better."""

    name: str
    unit: str
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of one figure. Both ratios are of our value to the other of its pair."""

    figure: Figure
    ours: Spread
    theirs: Spread
    ratio: Spread
    same: Spread  # the ratios of ours again to ours
    noise: float  # half of what the quartiles of ``same`` lie apart

    @classmethod
    def of(
        cls, figure: Figure, ours: Sequence[float], theirs: Sequence[float], again: Sequence[float]
    ) -> Comparison:
        """Compare series of equal length, one value of each per round."""
        low, _, high = statistics.quantiles(
            [a / b for a, b in zip(again, ours, strict=True)], n=4, method="inclusive"
        )
        return cls(
            figure,
            Spread.of(ours),
            Spread.of(theirs),
            paired(ours, theirs),
            paired(again, ours),
            (high - low) / 2,
        )

    @property
    def allowed(self) -> float:
        """The permitted deviation of the ratio on the wrong side of 1."""
        return max(ALLOWED, 2 * self.noise)

    @property
    def verdict(self) -> str:
        """``worse`` or ``better`` if the permitted deviation is exceeded, else ``same``.

        ``worse``, too, if one of both was not measured at all.
        """
        change = self.ratio.median - 1
        if math.isnan(change):
            return "worse"
        if abs(change) <= self.allowed:
            return "same"
        return "better" if (change > 0) == self.figure.more_is_better else "worse"


def compare(
    figures: Sequence[Figure], measured: Mapping[str, Mapping[str, Sequence[float]]]
) -> list[Comparison]:
    """Compare each figure; ``measured`` holds ``ours``, ``theirs`` and ``again`` by its name."""
    return [
        Comparison.of(figure, found["ours"], found["theirs"], found["again"])
        for figure in figures
        if (found := measured.get(figure.name))
    ]


def report(comparisons: Sequence[Comparison]) -> str:
    """Return the table: medians, the ratio, the A/A ratio, the permitted deviation, the verdict."""
    rows = [
        (
            f"{each.figure.name}, {each.figure.unit}",
            short(each.ours.median),
            short(each.theirs.median),
            f"{each.ratio.median:.3f} ({each.ratio.low:.2f}–{each.ratio.high:.2f})",
            f"{each.same.median:.3f} ± {each.noise:.3f}",
            f"{each.allowed:.1%}",
            each.verdict.upper() if each.verdict == "worse" else each.verdict,
        )
        for each in comparisons
    ]
    head = ("figure", "this", "other", "this ÷ other", "A/A ± spread", "allowed", "verdict")
    return table(head, rows)

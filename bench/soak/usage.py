"""Follows memory and open files of processes over time, and fits their slopes. Pure."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory and open files of one process, so many seconds after the begin of the run."""

    at: float
    rss_bytes: int
    fds: int


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one process."""

    kind: str
    pid: int
    samples: tuple[Sample, ...]

    @property
    def minutes(self) -> float:
        """The time from the first sample to the last one."""
        return (self.samples[-1].at - self.samples[0].at) / 60

    @property
    def rss_slope(self) -> float:
        """MiB per hour, by least squares."""
        return self._slope([each.rss_bytes / MIB for each in self.samples])

    @property
    def rss_doubt(self) -> float:
        """Half the width of the slope's 95 % confidence interval, in MiB per hour.

        Neighbouring samples are alike, so that they count as fewer: by their correlation.
        """
        hours = [each.at / 3600 for each in self.samples]
        values = [each.rss_bytes / MIB for each in self.samples]
        slope, level = statistics.linear_regression(hours, values)
        rest = [v - level - slope * h for h, v in zip(hours, values, strict=True)]
        squares = sum(each * each for each in rest)
        if not squares:
            return 0.0
        alike = min(0.99, max(0.0, sum(a * b for a, b in itertools.pairwise(rest)) / squares))
        middle = statistics.fmean(hours)
        spread = sum((each - middle) ** 2 for each in hours)
        variance = squares / (len(rest) - 2) / spread
        return 1.96 * math.sqrt(variance * (1 + alike) / (1 - alike))

    @property
    def fds_slope(self) -> float:
        """Open files per hour, by least squares."""
        return self._slope([float(each.fds) for each in self.samples])

    def _slope(self, values: Sequence[float]) -> float:
        hours = [each.at / 3600 for each in self.samples]
        return statistics.linear_regression(hours, values).slope

    def described(self) -> dict[str, Any]:
        """Return what the report and the JSON file hold."""
        first, last = self.samples[0], self.samples[-1]
        return {
            "kind": self.kind, "pid": self.pid, "minutes": round(self.minutes, 1),
            "samples": len(self.samples),
            "rssMiB": [round(each.rss_bytes / MIB, 2) for each in (first, last)],
            "rssSlopeMiBPerHour": round(self.rss_slope, 2),
            "rssDoubtMiBPerHour": round(self.rss_doubt, 2),
            "fds": [first.fds, last.fds], "fdsSlopePerHour": round(self.fds_slope, 2),
            "all": [asdict(each) for each in self.samples],
        }  # fmt: skip


class Usage:
    """The series of all processes. A process that is replaced begins a new one."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, int], list[Sample]] = {}

    def take(self, kind: str, pid: int, sample: Sample) -> None:
        """Add a sample of a process."""
        self._taken.setdefault((kind, pid), []).append(sample)

    def series(self, *, skip: float, warm_up: float, least: int = 5) -> Iterator[Series]:
        """Yield those with at least so many samples that count.

        Nothing counts in the first ``skip`` seconds of the run, nor in the first ``warm_up``
        seconds of a process that came later.
        """
        for (kind, pid), samples in sorted(self._taken.items()):
            begins = max(skip, samples[0].at + warm_up)
            counted = tuple(each for each in samples if each.at >= begins)
            if len(counted) >= least:
                yield Series(kind, pid, counted)

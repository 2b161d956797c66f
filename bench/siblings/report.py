"""Evaluates the measurements of siblings, and formats them as a table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.measuring.figures import fixed, median, percentile, table
from bench.siblings.agents import AGENT
from bench.siblings.rig import CHANNELS, Seen
from bench.siblings.trial import Trial

MORE_TIMES, MORE_MS = 1.5, 5.0  # how much later siblings may hear
START_TIMES = 1.5  # how much longer a start may take
PSS_MIB = 0.5  # how much more or less an account may weigh

HEAD = (
    "fault",
    "in an account of",
    "siblings",
    "p50 ms, calm → then",
    "p99 ms, calm → then (allowed)",
    "start ms, calm → then (×)",
    "PSS MiB, most that it changed",
    "restarts / lost",
)


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The medians over all rounds of one fault, for some siblings. Seconds, but ``pss`` is MiB."""

    fault: str
    channel: str
    siblings: str
    p50: tuple[float, float]  # calm, and while the fault lasted
    p99: tuple[float, float]
    start: tuple[float, float]
    pss: float
    restarts: int
    missing: int

    @property
    def allowed(self) -> float:
        """The permitted p99."""
        return max(MORE_TIMES * self.p99[0], self.p99[0] + MORE_MS / 1e3)

    @property
    def wrong(self) -> list[str]:
        """The missed targets."""
        missed = {
            # Where nothing arrived there is no figure, which no limit allows.
            "p99": not self.p99[1] <= self.allowed,
            "start": not self.start[1] <= START_TIMES * self.start[0],
            "PSS": abs(self.pss) > PSS_MIB,
            "restarts": self.restarts > 0,
            "lost": self.missing > 0,
        }
        return [name for name, is_so in missed.items() if is_so]


def check(rounds: Sequence[Trial]) -> list[GroupResult]:
    """Return the results of one fault over several rounds, by group of siblings.

    The groups are the same channel, the others, and agents, which answer.
    """
    first = rounds[0]
    groups = {
        "same channel": [each for each in CHANNELS if each == first.channel],
        "other channels": [each for each in CHANNELS if each != first.channel],
        "other agents" if first.channel == AGENT else "agents": [AGENT],
    }
    return [_check(rounds, name, group) for name, group in groups.items() if group]


def _check(rounds: Sequence[Trial], name: str, group: Sequence[str]) -> GroupResult:
    def both(figure: Callable[[Seen], float]) -> tuple[float, float]:
        return (
            median(figure(each.calm) for each in rounds),
            median(figure(each.bad) for each in rounds),
        )

    changes = [
        after - before
        for trial in rounds
        for channel in group
        for before, after in zip(trial.calm.pss[channel], trial.bad.pss[channel], strict=True)
    ]
    return GroupResult(
        rounds[0].fault,
        rounds[0].channel,
        name,
        both(lambda seen: percentile(_all(seen.late, group), 0.5)),
        both(lambda seen: percentile(_all(seen.late, group), 0.99)),
        both(lambda seen: _starts(seen, group)),
        max(changes, key=abs),
        sum(each.restarts for each in rounds),
        sum(each.missing for each in rounds),
    )


def _all(found: dict[str, list[float]], group: Iterable[str]) -> list[float]:
    return [value for channel in group for value in found[channel]]


def _starts(seen: Seen, group: Sequence[str]) -> float:
    """Return the mean over the channels, whose start times differ."""
    medians = [statistics.median(seen.starts[each]) for each in group if seen.starts[each]]
    return statistics.fmean(medians) if medians else math.nan


def report(results: Sequence[GroupResult]) -> str:
    """Return the table; a missed target is marked by ``>``."""
    return table(HEAD, [_row(each) for each in results])


def _row(one: GroupResult) -> tuple[str, ...]:
    wrong = one.wrong

    def marked(name: str, text: str) -> str:
        return f"> {text}" if name in wrong else text

    calm, then = one.p99
    started, again = one.start
    return (
        one.fault,
        one.channel,
        one.siblings,
        f"{fixed(one.p50[0] * 1e3, 2)} → {fixed(one.p50[1] * 1e3, 2)}",
        marked("p99", f"{fixed(calm * 1e3)} → {fixed(then * 1e3)} ({fixed(one.allowed * 1e3)})"),
        marked(
            "start",
            f"{fixed(started * 1e3, 0)} → {fixed(again * 1e3, 0)} ({fixed(again / started, 2)})",
        ),
        marked("PSS", f"{one.pss:+.2f}"),
        marked("restarts", marked("lost", f"{one.restarts} / {one.missing}")),
    )

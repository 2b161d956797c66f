"""Decides which traces are exported, and which ones are given up. Pure.

What is waited for is remembered by number alone: the journal is the queue. So memory does not grow
with what a collector does not take.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from runtime.gateway.telemetry.exchange import Counts
from runtime.gateway.telemetry.journal_source import EndedRun, Look

MAX_WAITING = 10_000  # runs that are not over, or not exported; the oldest ones are given up
KEPT_MS = 600_000  # for so long an ended run is kept for a collector that does not take it
AT_ONCE = 200  # of the waiting ones that are looked at together
FIRST_SECONDS, LAST_SECONDS = 1.0, 30.0  # between two tries while the collector takes nothing


class ExportProgress(msgspec.Struct):
    """How far the runs of the journal have been exported.

    ``position`` is the number of the newest run that was looked at, ``waiting`` holds the numbers
    of those before it that are still to be exported. ``position`` is ``None`` before the first.
    """

    position: int | None = None
    waiting: list[int] = []

    def some(self) -> list[int]:
        """Return the waiting ones whose turn it is to be looked at."""
        return self.waiting[:AT_ONCE]


def taken(progress: ExportProgress, look: Look, counts: Counts) -> None:
    """Take what a look has found into the progress, but for the runs that are over."""
    progress.position = look.position
    progress.waiting = progress.waiting[AT_ONCE:] + look.waiting
    counts.drop("unreadable", look.unreadable)


def fresh(ended: Sequence[EndedRun], now: int, counts: Counts, *, failing: bool) -> list[EndedRun]:
    """Return the runs that are to be exported at ``now``, epoch ms; others are given up."""
    if not failing:
        return list(ended)
    kept = [each for each in ended if over_at(each) > now - KEPT_MS]
    counts.drop("unreachable", len(ended) - len(kept))
    return kept


def put_back(progress: ExportProgress, ended: Sequence[EndedRun]) -> None:
    """Have runs looked at again that could not be exported."""
    progress.waiting += [each.number for each in ended]


def bounded(progress: ExportProgress, counts: Counts) -> None:
    """Give up the oldest of what waits where that is too much."""
    excess = len(progress.waiting) - MAX_WAITING
    if excess > 0:
        gone = set(sorted(progress.waiting)[:excess])
        progress.waiting = [each for each in progress.waiting if each not in gone]
        counts.drop("queue_full", len(gone))


def over_at(ended: EndedRun) -> int:
    """Return when everything of a run was over, in epoch milliseconds."""
    return max([ended.run.ended, *(row.ended for row in ended.rows)])


def wait_after(failures: int) -> float:
    """Return the seconds until the next try after so many failures in a row."""
    return min(FIRST_SECONDS * 2.0 ** min(failures - 1, 10), LAST_SECONDS)

"""Decides which traces are exported and which are dropped. Pure.

What is waited for is remembered by number alone: the journal is the queue. So memory does not grow
with what a collector does not take.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from runtime.gateway.telemetry.exchange import Counts
from runtime.gateway.telemetry.journal_source import EndedRow, Scan

MAX_WAITING = 10_000  # rows of a table that are not over, or not exported; the oldest are given up
KEPT_MS = 600_000  # for so long what has ended is kept for a collector that does not take it
AT_ONCE = 200  # waiting ones that are read in one scan
FIRST_SECONDS, LAST_SECONDS = 1.0, 30.0  # between two tries while the collector takes nothing


class ExportProgress(msgspec.Struct):
    """How far one table of the journal has been exported.

    ``position`` is the number of the newest row that was read, ``waiting`` holds the numbers
    of those before it that are still to be exported. ``position`` is ``None`` before the first.
    """

    position: int | None = None
    waiting: list[int] = []

    def some(self) -> list[int]:
        """Return the waiting rows to read in this scan."""
        return self.waiting[:AT_ONCE]


class ExportState(msgspec.Struct):
    """How far everything has been exported; it is kept in a file."""

    runs: ExportProgress = msgspec.field(default_factory=ExportProgress)
    sends: ExportProgress = msgspec.field(default_factory=ExportProgress)

    @property
    def waiting(self) -> int:
        """The number of rows that have not ended or are not exported."""
        return len(self.runs.waiting) + len(self.sends.waiting)


def apply_scan(progress: ExportProgress, scan: Scan, counts: Counts) -> None:
    """Record what a scan has read: its position, and the rows that have not ended."""
    progress.position = scan.position
    progress.waiting = progress.waiting[AT_ONCE:] + scan.waiting
    counts.drop("unreadable", scan.unreadable)


def fresh(ended: Sequence[EndedRow], now: int, counts: Counts, *, failing: bool) -> list[EndedRow]:
    """Return the traces to export at ``now`` (epoch ms); drop the others."""
    if not failing:
        return list(ended)
    kept = [each for each in ended if each.over_at > now - KEPT_MS]
    counts.drop("unreachable", len(ended) - len(kept))
    return kept


def requeue(progress: ExportProgress, ended: Sequence[EndedRow]) -> None:
    """Mark rows that could not be exported as waiting again."""
    progress.waiting += [each.number for each in ended]


def drop_excess(progress: ExportProgress, counts: Counts) -> None:
    """Drop the oldest waiting rows above the limit."""
    excess = len(progress.waiting) - MAX_WAITING
    if excess > 0:
        gone = set(sorted(progress.waiting)[:excess])
        progress.waiting = [each for each in progress.waiting if each not in gone]
        counts.drop("queue_full", len(gone))


def wait_after(failures: int) -> float:
    """Return the seconds until the next try after that many consecutive failures."""
    return min(FIRST_SECONDS * 2.0 ** min(failures - 1, 10), LAST_SECONDS)

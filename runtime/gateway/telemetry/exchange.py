"""Defines what the gateway and its exporter of traces tell each other, as lines of JSON. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

DropReason = Literal["queue_full", "unreachable", "unreadable"]


class ExportSettings(msgspec.Struct, frozen=True):
    """Where traces go, as the configuration has it; ``headers`` with their secrets."""

    endpoint: str | None = None
    headers: dict[str, str] = {}
    service_name: str | None = None
    sample_ratio: float | None = None
    version: str = ""


class ExporterOrder(msgspec.Struct, frozen=True):
    """One exporter's work: the file of the journal, the file of its own progress.

    Without such a progress it begins with what came ``since``, in epoch milliseconds.
    """

    journal: str
    state: str
    since: int
    settings: ExportSettings


class Counts(msgspec.Struct, omit_defaults=True):
    """What has happened since the last report, which ``problem`` belongs to as it stands."""

    exported: int = 0
    unsampled: int = 0
    dropped: dict[str, int] = {}
    waiting: int = 0
    problem: str = ""

    def drop(self, reason: DropReason, count: int) -> None:
        """Count traces that are given up."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

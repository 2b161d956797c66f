"""Defines the messages between the gateway and its exporter of traces, lines of JSON. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from ipc.hidden_fields import hide_fields

DropReason = Literal["queue_full", "unreachable", "unreadable"]


@hide_fields("headers")
class ExportSettings(msgspec.Struct, frozen=True):
    """The configured destination of traces; ``headers`` include secrets."""

    endpoint: str | None = None
    headers: dict[str, str] = {}
    service_name: str | None = None
    sample_ratio: float | None = None
    version: str = ""


class ExporterOrder(msgspec.Struct, frozen=True):
    """The order for an exporter: the files of the journal and of its progress.

    Without such a progress it begins with what came ``since``, in epoch milliseconds.
    """

    journal: str
    state: str
    since: int
    settings: ExportSettings


class Counts(msgspec.Struct, omit_defaults=True):
    """The counts since the last report, and the present ``problem``."""

    exported: int = 0
    unsampled: int = 0
    dropped: dict[str, int] = {}
    waiting: int = 0
    problem: str = ""

    def drop(self, reason: DropReason, count: int) -> None:
        """Count traces that are dropped."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

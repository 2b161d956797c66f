"""Exports traces: the program beside the gateway, which reads the journal and runs the SDK.

It reads its settings from one line on its standard input, writes reports as lines on its standard
output, and ends when either is closed. If the SDK hangs, leaks or crashes, only this program is
affected.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from ipc.epoch import now_ms
from ipc.files import read_regular, write_atomically
from ipc.frames.words import EXIT_CONFIG
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.telemetry.exchange import Counts, ExporterOrder
from runtime.gateway.telemetry.journal_source import (
    EndedRow,
    JournalSource,
    JournalUnreadable,
    RunSource,
    Scan,
    SendSource,
)
from runtime.gateway.telemetry.progress import (
    ExportProgress,
    ExportState,
    apply_scan,
    drop_excess,
    fresh,
    requeue,
    wait_after,
)
from runtime.gateway.telemetry.spans import Trace

POLL_SECONDS = 1.0  # between two scans of the journal
REPORT_SECONDS = 10.0  # between two reports when there is nothing to say
UNREAD = 3  # scans in a row that fail before it is reported: a new file has no tables at first
NICENESS = 10  # what is chatted goes first
MEMORY_BYTES = 512 << 20  # of data; a leak ends here

_encode = msgspec.json.Encoder().encode


class Exports(Protocol):
    """Sends traces; returns how many were left out by sampling, and what is wrong, if anything."""

    def export(self, traces: Sequence[Trace]) -> tuple[int, str]:
        """Send traces. Blocks."""


class Exporter:
    """The exporter of the traces of one journal file.

    ``report`` takes what has happened since the last report.
    """

    def __init__(
        self,
        journal: Path,
        exports: Exports,
        state: Path,
        since: int,
        report: Callable[[Counts], None],
    ) -> None:
        self._sources = RunSource(journal), SendSource(journal)
        self._exports = exports
        self._state = state
        self._since = since
        self._report = report
        self._counts = Counts()
        self._failures = self._unread = 0
        self.progress = _loaded(state)
        self._saved = b""
        self._reported: str | None = None
        self._at = 0.0  # when the last report was made

    def step(self) -> float:
        """Read the tables once and export ended traces; return the seconds until the next step."""
        tables, counts = self._tables, self._counts
        try:
            scans = [self._poll(*each) for each in tables]
        except JournalUnreadable as error:
            self._unread += 1
            if self._unread >= UNREAD:
                counts.problem = f"the journal cannot be read: {error}"
            self._report_counts()
            return wait_after(self._unread)
        if self._unread:
            self._unread, counts.problem = 0, ""
        ended = []
        for (_, progress), scan in zip(tables, scans, strict=True):
            apply_scan(progress, scan, counts)
            ended.append(fresh(scan.ended, now_ms(), counts, failing=self._failures > 0))
        wait = 0.0 if any(scan.more for scan in scans) else POLL_SECONDS
        if any(ended):
            wait = self._send(ended) or wait
        for _, progress in tables:
            drop_excess(progress, counts)
        self._save()
        self._report_counts()
        return wait

    @property
    def _tables(self) -> list[tuple[JournalSource, ExportProgress]]:
        """The tables to read, each with its progress."""
        return [*zip(self._sources, (self.progress.runs, self.progress.sends), strict=True)]

    def _poll(self, source: JournalSource, progress: ExportProgress) -> Scan:
        """Read new rows of a table. Raises ``JournalUnreadable``, without any change then."""
        if progress.position is None:
            progress.position = source.position_before(self._since)
            self._save()  # whatever becomes of this exporter, the next one begins here
        return source.poll(progress.position, progress.some())

    def _send(self, ended: Sequence[list[EndedRow]]) -> float:
        """Export ended traces, by table; return the seconds to wait after a failure, else 0."""
        traces = [each.trace for table in ended for each in table]
        unsampled, problem = self._exports.export(traces)
        self._counts.problem = problem
        if problem:
            for (_, progress), table in zip(self._tables, ended, strict=True):
                requeue(progress, table)
            self._failures += 1
            return wait_after(self._failures)
        self._failures = 0
        self._counts.unsampled += unsampled
        self._counts.exported += len(traces) - unsampled
        return 0.0

    def _report_counts(self) -> None:
        counts, now = self._counts, time.monotonic()
        counts.waiting = self.progress.waiting
        news = counts.exported or counts.unsampled or counts.dropped
        if news or self._reported != counts.problem or now - self._at > REPORT_SECONDS:
            self._report(counts)
            self._reported, self._at = counts.problem, now
            self._counts = Counts(problem=counts.problem)

    def _save(self) -> None:
        """Save the progress for the next exporter, if it has changed."""
        text = _encode(self.progress)
        if text == self._saved:
            return
        with contextlib.suppress(OSError):  # a full disk: the next one sends some again
            write_atomically(self._state, text)
            self._saved = text


def _loaded(state: Path) -> ExportState:
    try:
        return decode_json(read_regular(state), ExportState)
    except (OSError, *MALFORMED):
        return ExportState()


def main() -> None:
    """Export until the gateway has ended."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    order = decode_json(sys.stdin.buffer.readline(), ExporterOrder)
    try:
        from runtime.gateway.telemetry.otlp import TraceExporter
    except ImportError as error:
        install = f"{sys.executable} -m pip install 'trunkline[otel]'"
        _print(Counts(problem=f"they need trunkline[otel] ({error}); install: {install}"))
        sys.exit(EXIT_CONFIG)
    exporter = Exporter(
        Path(order.journal),
        TraceExporter(order.settings),
        Path(order.state),
        order.since,
        _print,
    )
    wait = 0.0
    while not select.select([sys.stdin], [], [], wait)[0]:
        wait = exporter.step()


def _print(counts: Counts) -> None:
    sys.stdout.buffer.write(_encode(counts) + b"\n")
    sys.stdout.buffer.flush()

"""Exports traces: the program beside the gateway, which reads the journal and runs the SDK.

It is told where by one line on its standard input, reports by lines on its standard output, and
ends with either. Whatever the SDK does here, hang, leak or crash, is no business of the gateway's.
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
from ipc.files import write_atomically
from ipc.frames.words import EXIT_CONFIG
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.telemetry.exchange import Counts, ExporterOrder
from runtime.gateway.telemetry.journal_source import (
    EndedRun,
    JournalSource,
    JournalUnreadable,
    Look,
)
from runtime.gateway.telemetry.progress import (
    ExportProgress,
    bounded,
    fresh,
    put_back,
    taken,
    wait_after,
)
from runtime.gateway.telemetry.spans import Trace, trace_of

POLL_SECONDS = 1.0  # between two looks at the journal
REPORT_SECONDS = 10.0  # between two reports when there is nothing to say
UNREAD = 3  # looks in a row that fail before it is reported: a new file has no tables at first
NICENESS = 10  # what is chatted goes first
MEMORY_BYTES = 512 << 20  # of data; a leak ends here

_encode = msgspec.json.Encoder().encode


class Exports(Protocol):
    """Sends traces; returns how many were left out by sampling, and what is wrong, if anything."""

    def export(self, traces: Sequence[Trace]) -> tuple[int, str]:
        """Send traces. Blocks."""


class Exporter:
    """The traces of one journal. ``report`` takes what has happened since the last report."""

    def __init__(
        self,
        source: JournalSource,
        exports: Exports,
        state: Path,
        since: int,
        report: Callable[[Counts], None],
    ) -> None:
        self._source = source
        self._exports = exports
        self._state = state
        self._since = since
        self._report = report
        self._counts = Counts()
        self._failures = self._unread = 0
        self.progress, self._saved = _loaded(state), ExportProgress()
        self._reported: str | None = None
        self._at = 0.0  # when the last report was made

    def step(self) -> float:
        """Look once, and export what is over; return the seconds until the next look."""
        progress, counts = self.progress, self._counts
        try:
            look = self._look()
        except JournalUnreadable as error:
            self._unread += 1
            if self._unread >= UNREAD:
                counts.problem = f"the journal cannot be read: {error}"
            self._tell()
            return wait_after(self._unread)
        if self._unread:
            self._unread, counts.problem = 0, ""
        taken(progress, look, counts)
        ended = fresh(look.ended, now_ms(), counts, failing=self._failures > 0)
        wait = 0.0 if look.more else POLL_SECONDS
        if ended:
            wait = self._send(ended) or wait
        bounded(progress, counts)
        self._save()
        self._tell()
        return wait

    def _look(self) -> Look:
        """Look at the journal. Raises ``JournalUnreadable``, and then nothing has changed."""
        progress = self.progress
        if progress.position is None:
            progress.position = self._source.position_before(self._since)
            self._save()  # whatever becomes of this exporter, the next one begins here
        return self._source.look(progress.position, progress.some())

    def _send(self, ended: list[EndedRun]) -> float:
        """Export runs; return the seconds to wait where that has failed, else 0."""
        traces = [trace_of(each.run, each.rows) for each in ended]
        unsampled, problem = self._exports.export(traces)
        self._counts.problem = problem
        if problem:
            put_back(self.progress, ended)
            self._failures += 1
            return wait_after(self._failures)
        self._failures = 0
        self._counts.unsampled += unsampled
        self._counts.exported += len(ended) - unsampled
        return 0.0

    def _tell(self) -> None:
        counts, now = self._counts, time.monotonic()
        counts.waiting = len(self.progress.waiting)
        news = counts.exported or counts.unsampled or counts.dropped
        if news or self._reported != counts.problem or now - self._at > REPORT_SECONDS:
            self._report(counts)
            self._reported, self._at = counts.problem, now
            self._counts = Counts(problem=counts.problem)

    def _save(self) -> None:
        """Keep the progress for the next exporter, where it has changed."""
        progress = self.progress
        if progress == self._saved:
            return
        with contextlib.suppress(OSError):  # a full disk: the next one sends some again
            write_atomically(self._state, _encode(progress))
            self._saved = ExportProgress(progress.position, [*progress.waiting])


def _loaded(state: Path) -> ExportProgress:
    try:
        return decode_json(state.read_bytes(), ExportProgress)
    except (OSError, *MALFORMED):
        return ExportProgress()


def main() -> None:
    """Export until the gateway has gone."""
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
        JournalSource(Path(order.journal)),
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

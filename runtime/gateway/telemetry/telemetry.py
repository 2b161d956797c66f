"""Starts the exporter of traces if it is configured, and counts its results.

What does it is imported when it is on: a gateway without traces has none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from runtime.config.gateway_model import TelemetryConfig
from runtime.gateway.journal.runs import Run

OUTCOMES = ("exported", "unsampled", "queue_full", "unreachable", "unreadable")
WARNING = "gateway.telemetry: traces are not exported: {problem}"

log = structlog.get_logger("gateway.telemetry")


class Telemetry:
    """The export of a gateway's traces. ``counts`` has the number of traces by result.

    ``waiting`` is how many runs are not over, or not exported, as was reported last. ``warn``
    takes the warnings that the status shows.
    """

    def __init__(self, config: TelemetryConfig, state_dir: Path, version: str) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.waiting = 0
        self._config = config
        self._state_dir = state_dir
        self._version = version
        self._problem = ""
        self._process: Any = None

    @property
    def is_on(self) -> bool:
        """Whether traces are exported."""
        return self._config.enabled

    def trace_id(self, run: Run) -> int:
        """Return the trace id of a run."""
        from runtime.gateway.telemetry.spans import trace_in

        return trace_in(run)

    def start(self, warn: Callable[[list[str]], None]) -> None:
        """Start the exporter if it is configured."""
        if not self.is_on:
            return
        from runtime.gateway.telemetry.process import ExporterProcess

        loop = asyncio.get_running_loop()

        def report(counts: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._on_report, counts, warn)

        self._process = ExporterProcess(self._config, self._state_dir, self._version, report)
        self._process.start()

    async def close(self) -> None:
        """End the exporter at once; the next one continues from its progress."""
        if self._process is not None:
            self._process.stop()
            await asyncio.to_thread(self._process.join)

    def _on_report(self, counts: Any, warn: Callable[[list[str]], None]) -> None:
        """Handle a report of the exporter."""
        self.counts["exported"] += counts.exported
        self.counts["unsampled"] += counts.unsampled
        self.counts.update(counts.dropped)
        self.waiting = counts.waiting
        if counts.problem == self._problem:
            return
        self._problem = counts.problem
        if counts.problem:
            log.warning("traces are not exported", problem=counts.problem)
        else:
            log.info("traces are exported again")
        warn([WARNING.format(problem=counts.problem)] if counts.problem else [])

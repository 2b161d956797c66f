"""Starts scheduled jobs and heartbeats once the journal is read, and stops them at the end."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import structlog

from ipc import timeouts
from ipc.errors import RemoteError
from ipc.frames.words import UNAVAILABLE
from runtime.config.timers import CronConfig
from runtime.gateway.cron.heartbeats import Heartbeats
from runtime.gateway.cron.links import TimerLinks
from runtime.gateway.journal.waiting import CHECK_SECONDS, unstored

READ_SECONDS = 10.0

log = structlog.get_logger("gateway.cron")


class Timers:
    """The scheduled jobs and heartbeats of one gateway; ``ended`` counts job runs by outcome."""

    def __init__(self, links: TimerLinks) -> None:
        self.links = links
        self.heartbeats = Heartbeats(links)
        self._config: CronConfig | None = None
        self.ended: Counter[str] = Counter(ok=0, error=0, skipped=0)
        self._scheduler: Any = None
        self._begun = False

    @property
    def scheduler(self) -> Any:
        """The ``Scheduler``, made when it is needed: a gateway without a journal has no jobs."""
        if self._scheduler is None:
            from runtime.gateway.cron.scheduler import Scheduler

            self._scheduler = Scheduler(self.links, self.heartbeats, self.ended)
            if self._config is not None:
                self._scheduler.configure(self._config)
        return self._scheduler

    def figures(self) -> tuple[int, int]:
        """Return the numbers of scheduled jobs and of running ones."""
        scheduler = self._scheduler
        return (0, 0) if scheduler is None else (len(scheduler.jobs), scheduler.in_flight)

    async def ready(self) -> None:
        """Wait until the jobs are read; raises ``RemoteError`` where that takes too long.

        A client that comes while a gateway begins waits for that instead of being sent away.
        """
        self.links.open_journal()
        self.begin()
        for _ in range(round(READ_SECONDS / CHECK_SECONDS)):
            journal = self.links.journal()
            if self.scheduler.loaded.is_set():
                return
            if journal is not None and not journal.ready and journal.fault is not None:
                raise RemoteError(UNAVAILABLE, unstored(journal.fault), retryable=True)
            with contextlib.suppress(TimeoutError):
                async with timeouts.timeout(CHECK_SECONDS):
                    await self.scheduler.loaded.wait()
        raise RemoteError(UNAVAILABLE, "the scheduled jobs are being read", retryable=True)

    def configure(self, config: CronConfig) -> None:
        """Apply another configuration of scheduled jobs."""
        self._config = config
        if self._scheduler is not None:
            self._scheduler.configure(config)

    def begin(self) -> None:
        """Load the stored jobs from the journal and begin, once; nothing without a journal."""
        journal = self.links.journal()
        if journal is None and self.heartbeats.is_any:
            self.links.open_journal()  # this is called again when that is done
        if self._begun or journal is None or not journal.ready or not self.links.runs.whole:
            return
        self._begun = True
        self.links.jobs.start(self._load())

    async def _load(self) -> None:
        journal = self.links.journal()
        assert journal is not None
        try:
            await self.heartbeats.load(journal)
            await self.scheduler.load(journal)
        except Exception:  # the gateway goes on without them
            log.exception("the scheduled jobs could not be read")

    def close(self) -> None:
        """Stop: begin nothing more."""
        self.heartbeats.close()
        if self._scheduler is not None:
            self._scheduler.close()

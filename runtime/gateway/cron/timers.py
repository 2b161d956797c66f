"""Begins what runs without a message once the journal is read, and ends it with the gateway."""

from __future__ import annotations

import structlog

from ipc import timeouts
from ipc.errors import RemoteError
from ipc.frames.words import UNAVAILABLE
from runtime.config.timers import CronConfig
from runtime.gateway.cron.heartbeats import Heartbeats
from runtime.gateway.cron.links import TimerLinks
from runtime.gateway.cron.scheduler import Scheduler

READ_SECONDS = 10.0

log = structlog.get_logger("gateway.cron")


class Timers:
    """The scheduled jobs and the heartbeats of one gateway."""

    def __init__(self, links: TimerLinks) -> None:
        self.links = links
        self.heartbeats = Heartbeats(links)
        self.scheduler = Scheduler(links, self.heartbeats)
        self._begun = False

    async def ready(self) -> None:
        """Wait until the jobs are read; raises ``RemoteError`` where that takes too long.

        A client that comes while a gateway begins waits for that instead of being sent away.
        """
        self.links.open_journal()
        self.begin()
        try:
            async with timeouts.timeout(READ_SECONDS):
                await self.scheduler.loaded.wait()
        except TimeoutError:
            text = "the scheduled jobs are being read"
            raise RemoteError(UNAVAILABLE, text, retryable=True) from None

    def configure(self, config: CronConfig) -> None:
        """Apply another configuration of scheduled jobs."""
        self.scheduler.configure(config)

    def begin(self) -> None:
        """Read what the journal holds and begin, once; where there is none, there is nothing."""
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
        """Begin nothing more."""
        self.heartbeats.close()
        self.scheduler.close()

"""Resumes, in a new gateway, the open runs of earlier gateways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from runtime.gateway.accounts.intake import Intake
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.replacing import has_journal
from runtime.gateway.runs.runs import Runs

log = structlog.get_logger("gateway.runs")


class Recovery:
    """Loads and resumes open runs, once the supervisor has reported and the journal is open.

    ``file`` is that of the journal. Where there is one it is read, whether or not an account needs
    it now: clients may have left runs in it. Until it is needed it is not made.
    ``on_whole()`` is called when that is done, and with each change of the journal afterwards.
    """

    def __init__(
        self,
        runs: Runs,
        intake: Intake,
        jobs: Jobs,
        file: Callable[[], Path],
        on_whole: Callable[[], None] = lambda: None,
    ) -> None:
        self._runs = runs
        self._intake = intake
        self._jobs = jobs
        self._file = file
        self._on_whole = on_whole
        self._informed = self._begun = False

    def on_report(self) -> None:
        """Handle the first whole report of the supervisor."""
        self._informed = True
        if has_journal(self._file()):
            self._intake.open()
        self.try_resume()

    def after(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Return a callback for changes of the journal that calls ``on_change``, then this one."""

        def on_journal_change() -> None:
            on_change()
            self.try_resume()

        return on_journal_change

    def try_resume(self) -> None:
        """Resume the runs if report and journal are there; afterwards only call ``on_whole``."""
        if self._begun:
            self._on_whole()
        elif not self._informed:
            return
        elif self._intake.journal is None:
            self._begun = True  # nothing was ever stored
            self._runs.resume_all()
            self._on_whole()
        elif self._intake.ready:
            self._begun = True
            self._jobs.start(self._read())

    async def _read(self) -> None:
        journal = self._intake.journal
        assert journal is not None
        for key in list(journal.keys()):  # of agents, too: clients' runs are theirs
            try:
                self._runs.restore(key, await journal.open_runs(key))
            except Exception:  # one account's rows must not hold up the others
                log.exception("the runs of an account could not be read", account=key)
        self._runs.resume_all()
        self._on_whole()

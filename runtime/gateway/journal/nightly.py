"""Copies the journal each night, on a separate thread, because a large one takes seconds."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

NIGHT = (3, 5)  # the hours of local time within which it begins
REST = timedelta(hours=20)  # between two copies
OVERDUE = timedelta(hours=36)  # the host was off at night: it is not waited for any longer
FIRST = timedelta(minutes=10)  # of a run, before any copy
CHECK_SECONDS = 3600.0  # clocks are set, and hosts sleep

log = structlog.get_logger("gateway.journal")


def due_at(now: datetime, newest: datetime | None, started: datetime) -> datetime:
    """Return the local time of the next copy; ``newest`` is the time of the last one."""
    soonest = started + FIRST
    if newest is None or newest > now:  # by a clock that was wrong
        return soonest
    at = newest + REST
    if not NIGHT[0] <= at.hour < NIGHT[1]:
        night = at.replace(hour=NIGHT[0], minute=0, second=0, microsecond=0)
        at = night if night >= at else night + timedelta(days=1)
    return max(min(at, newest + OVERDUE), soonest)


class _Stopped(Exception):
    """The copy is abandoned because the gateway ends."""


class NightlyCopies(threading.Thread):
    """Keeps the newest ``keep`` copies of the journal at ``path`` in ``directory``; 0: makes none.

    ``keep`` may be changed at any time. ``changes()`` counts what is written to the journal: as
    long as that is nothing, the last copy gets the time of the next one instead.
    """

    def __init__(
        self, path: Path, directory: Path, keep: int, changes: Callable[[], int] = lambda: 0
    ) -> None:
        super().__init__(name="journal-copies", daemon=True)
        self.keep = keep
        self._path = path
        self._directory = directory
        self._changes = changes
        self._made: tuple[Path, int] | None = None  # the last copy, and the changes before it
        self._stopping = threading.Event()
        self._begun = _local(time.time())

    def stop(self) -> None:
        """Abandon a running copy, and end."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        """Copy the journal whenever that is due, until ``stop``."""
        rest = 0.0
        while not self._stopping.wait(rest):
            try:
                rest = self._seconds()
                if rest <= 0:
                    self.copy_if_changed()
            except _Stopped:
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                rest = CHECK_SECONDS
                log.warning(
                    "the journal was not copied", place=str(self._directory), why=str(error)
                )

    def copy_if_changed(self) -> Path:
        """Copy the journal unless it is as it was at the last copy; return the path of that.

        Raises as ``copy_now`` does.
        """
        if self._made is not None:
            path, changes = self._made
            if changes == self._changes() and path.exists():
                os.utime(path)
                log.info("the journal has not changed since it was copied", path=str(path))
                return path
        made = self.copy_now()
        log.info("the journal was copied", path=str(made))
        return made

    def copy_now(self) -> Path:
        """Copy the journal, remove surplus copies, and return the path.

        It is that of the last copy if this one would be the same. Raises ``OSError``,
        ``sqlite3.Error``, and ``UnusableCopy`` where the journal is damaged.
        """
        copies, changes = self._copies(), self._changes()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = time.time()
        copies.remove_abandoned(self._directory, now)
        made: Path = self._directory / copies.name_of_copy(now)
        before = copies.copies_in(self._directory)[-1:]
        copies.copy(self._path, made, self._check_stopping)
        try:
            copies.check(made)
        except copies.UnusableCopy:  # the journal is damaged: earlier copies are worth more
            made.unlink()
            raise
        if before and before[0].name < made.name and copies.is_same(before[0], made):
            made.unlink()
            made = before[0]
            os.utime(made)
        for old in copies.copies_in(self._directory)[: -max(self.keep, 1)]:
            old.unlink(missing_ok=True)
        self._made = made, changes
        return made

    def _seconds(self) -> float:
        """Return the seconds until the next copy or check."""
        if not self.keep:
            return CHECK_SECONDS
        now, copies = time.time(), self._copies()
        self._begun = min(self._begun, _local(now))  # by a clock that was ahead
        found = list(map(copies.time_of, copies.copies_in(self._directory)))
        newest = max((each for each in found if each <= now), default=None)
        due = due_at(_local(now), None if newest is None else _local(newest), self._begun)
        return min(max(due.timestamp() - now, 0.0), CHECK_SECONDS)

    def _check_stopping(self) -> None:
        if self._stopping.is_set():
            raise _Stopped

    def _copies(self) -> Any:
        return importlib.import_module("runtime.gateway.journal.copies")


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds).astimezone()

"""Stores records on a separate thread; records that come during a commit form the next one.

The thread never touches an object of the event loop: it takes records, which nobody changes,
and reports what became of them to a callable that runs on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ipc.frames.words import JOURNAL_FULL
from ipc.nesting import MALFORMED
from runtime.gateway.journal.damage import is_damage, is_malformed
from runtime.gateway.journal.records import Answered, Outcome, Place, Record
from runtime.gateway.journal.replacing import finish_replacement
from runtime.gateway.journal.shares import BATCH_BYTES, Share, size_of
from runtime.gateway.journal.space import Space
from runtime.gateway.journal.thread_slice import set_short_slices

# At least so long lies between the beginnings of two commits: one for each wake-up would cost
# the event loop, which has to take each result, more than the messages themselves.
FLOOR_SECONDS = 0.0015
RETRY_SECONDS = 1.0  # between two tries while nothing can be stored
IDLE_SECONDS = 0.1  # without work, then there is time for the file itself
LOOK_SECONDS = 3600.0  # without work, then there may be something that is too old
TEND_SECONDS = 0.05  # between two small steps of tending it while there is work


log = structlog.get_logger("gateway.journal")

Job = Callable[[Any], Any]  # gets the ``Database``


class Opened(msgspec.Struct):
    """The file was opened, with the places of all accounts."""

    places: dict[str, Place]


class Stored(msgspec.Struct):
    """Records were stored, in order per account.

    ``numbers`` are theirs among all that were ever appended, from 0 on.
    """

    numbers: list[int]
    outcomes: list[Outcome]
    places: dict[str, Place]


class FaultChanged(msgspec.Struct):
    """The fault has changed: ``why`` nothing can be stored; ``None``: storing works again."""

    why: str | None


class Repaired(msgspec.Struct):
    """The file was damaged, with one sentence about the salvaged data; ``Opened`` follows.

    ``lost`` are the keys of accounts whose positions were lost.
    """

    what: str
    lost: set[str]


class Failed(msgspec.Struct):
    """The writer has failed; ``final``: a restart would not help."""

    why: str
    final: bool = False


class JobDone(msgspec.Struct):
    """A job has ended, with a result or an exception."""

    number: int
    result: Any = None
    error: Exception | None = None


class Ended(msgspec.Struct):
    """The thread has ended."""


Event = Opened | Stored | FaultChanged | Repaired | Failed | JobDone | Ended


class Writer(threading.Thread):
    """The thread that writes the journal at ``path``. ``report(event)`` is called on ``loop``.

    Lists of records and jobs are queued by ``put``, ``None`` ends the thread. ``tend(database)``
    does something small for the file between commits, and returns whether it has more to do.
    ``changes`` counts what may have changed the file; any thread may read it.
    """

    def __init__(
        self,
        path: Path,
        loop: asyncio.AbstractEventLoop,
        report: Callable[[Event], None],
        tend: Callable[[Any], bool],
    ) -> None:
        super().__init__(name="journal", daemon=True)
        self._path = path
        self._loop = loop
        self._report_on_loop = report
        self._tend = tend
        self._queue: queue.SimpleQueue[list[Record] | tuple[int, Job] | None] = queue.SimpleQueue()
        self.put = self._queue.put
        self._stopping = threading.Event()
        self._space = Space(path)
        self._began = self._tended = 0.0
        self._fault: str | None = None
        self._sqlite: Any = None
        self._mended = False  # and nothing was stored since
        self._database: Any = None
        self._checkpoints: Any = None
        self.changes = 0
        self._taken = 0  # records from the queue
        self._share = Share()  # of the last commit

    def stop(self) -> None:
        """Store queued records if possible at once, and end."""
        self._stopping.set()
        self.put(None)

    def run(self) -> None:
        """Open the file and store records until ``stop``; repair a damaged file."""
        set_short_slices()
        try:
            self._database = self._open()
            if self._database is not None:
                try:
                    self._process_queue()
                finally:
                    self._close()
        except Exception as error:
            log.exception("the journal's writer failed")
            self._report(Failed(f"the journal's writer failed: {error}"))
        finally:
            self._report(Ended())

    def _open(self, *, damaged: bool = False) -> Any:
        """Open the file, after a repair if it is ``damaged``; return ``None`` if stopped first."""
        module = importlib.import_module("runtime.gateway.journal.database")
        self._sqlite = importlib.import_module("sqlite3")
        while True:
            try:
                if finish_replacement(self._path):
                    damaged = False
                if damaged:
                    self._repair()
                    damaged = False
                try:
                    database = module.Database(self._path)
                except (self._sqlite.DatabaseError, *MALFORMED) as error:
                    if not self._is_repairable(error):
                        raise
                    damaged = True
                    continue
            except module.TooNew as error:
                self._report(Failed(str(error), final=True))
                return None
            except (self._sqlite.OperationalError, OSError) as error:
                full, why = _reason(error) == JOURNAL_FULL, module.explain(self._path, error)
                self._begin_fault(JOURNAL_FULL if full else f"{self._path} cannot be opened: {why}")
                self._space.release_if_full()
                if self._stopping.wait(RETRY_SECONDS):
                    return None
            else:
                self._end_fault()
                self._space.reserve()
                checkpoints = importlib.import_module("runtime.gateway.journal.checkpoints")
                self._checkpoints = checkpoints.Checkpoints(self._path, database.connection)
                self._report(Opened(dict(database.places)))
                return database

    def _close(self) -> None:
        if self._database is not None:
            self._checkpoints.stop()
            self._database.close()
            self._database = None

    def _process_queue(self) -> None:
        dirty = True
        while self._database is not None:
            try:
                item: Any = []
                if not self._share.later:
                    empties_in = self._checkpoints.empties_in
                    rest = LOOK_SECONDS if empties_in is None else empties_in
                    wait = IDLE_SECONDS if dirty else rest
                    item = self._queue.get(timeout=wait)
            except queue.Empty:
                dirty = self._on_idle()
                continue
            if item is None:
                return
            dirty = True
            if isinstance(item, tuple):
                self._run_job(*item)
                continue
            share, after = self._gather(item)
            if not self._store(share):
                return
            if time.monotonic() - self._tended > TEND_SECONDS:
                self._maintain()
            if after is None:
                continue
            while self._share.later:
                if not self._store(Share(self._share.later)):
                    return
            if after == ():
                return
            self._run_job(*after)

    def _gather(self, records: list[Record]) -> tuple[Share, Any]:
        """Return what belongs into one commit, and what follows it in the queue. That is a job,
        ``()`` for the end, ``None`` for nothing.
        """
        wait = self._began + FLOOR_SECONDS - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        waiting, size = [*self._share.later], 0
        after: Any = None
        while True:
            waiting += enumerate(records, self._taken)
            self._taken += len(records)
            size += sum(map(size_of, records))
            if size > BATCH_BYTES:
                break
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None or isinstance(item, tuple):
                after = item or ()
                break
            records = item
        return Share(waiting), after

    def _store(self, share: Share) -> bool:
        """Store records, retrying; return false if the writer was stopped first."""
        self._share, records = share, share.records
        while True:
            self._began = time.monotonic()
            database = self._database
            try:
                self._space.require()
                outcomes = database.store(records)
            except (self._sqlite.DatabaseError, OSError, *MALFORMED) as error:
                if self._is_repairable(error):
                    self._replace()
                    if self._database is None:
                        return False
                    continue
                if isinstance(error, MALFORMED):
                    raise
                self._begin_fault(_reason(error))
                if self._stopping.wait(RETRY_SECONDS):
                    return False
                self._make_room()
            else:
                self._end_fault()
                self._mended = False
                self.changes += 1
                keys = {record.key for record in records}
                places = {key: database.places[key] for key in keys}
                self._report(Stored(share.numbers, outcomes, places))
                self._on_commit(len(keys))
                if any(isinstance(each, Answered) and each.redactions for each in records):
                    self._checkpoints.on_redaction()
                share.forget()
                return True

    def _on_commit(self, accounts: int) -> None:
        # A row that spills over fills whole pages of 4096 bytes.
        pages = 8 * accounts + self._share.size_bytes // 2048
        self._checkpoint(lambda checkpoints: checkpoints.on_commit(pages))

    def _checkpoint(self, step: Callable[[Any], Any]) -> Any:
        """Call ``step(checkpoints)``; return ``None`` if the checkpoint failed."""
        try:
            return step(self._checkpoints)
        except (self._sqlite.DatabaseError, OSError) as error:
            self._on_maintenance_error(error)
            return None

    def _run_job(self, number: int, job: Job) -> None:
        self._checkpoint(lambda checkpoints: checkpoints.wait_idle())
        try:
            try:
                done = JobDone(number, job(self._database))
            except (self._sqlite.DatabaseError, *MALFORMED) as error:
                if not self._is_repairable(error):
                    raise
                self._replace()
                done = JobDone(number, job(self._database))
        except Exception as error:  # noqa: BLE001 - it is raised where the job was asked for
            done = JobDone(number, error=error)
        self._checkpoints.on_write()
        self.changes += 1
        self._report(done)

    def _on_idle(self) -> bool:
        """Maintain the file while idle; return whether there is more to do."""
        more = self._checkpoint(lambda checkpoints: checkpoints.on_idle())
        return more is not None and (self._maintain() or more)

    def _maintain(self) -> bool:
        """Run a small step of maintenance; return whether there is more to do."""
        database = self._database
        self._tended = time.monotonic()
        try:
            more = self._tend(database)
        except (self._sqlite.DatabaseError, OSError, *MALFORMED) as error:
            self._on_maintenance_error(error)
            return False
        if more:
            self._checkpoints.on_write()
            self.changes += 1
        if database.changed:
            places = {key: database.places[key] for key in database.changed}
            self._report(Stored([], [], places))
            database.changed.clear()
        return more

    def _on_maintenance_error(self, error: Exception) -> None:
        log.warning("maintenance of the journal failed", error=str(error))
        if self._is_repairable(error):
            self._replace()

    def _make_room(self) -> None:
        """Remove the reserve, so that old messages can be deleted on a full disk."""
        if self._fault == JOURNAL_FULL:
            self._space.release()
            self._checkpoint(lambda checkpoints: checkpoints.finish())
            self._maintain()

    def _replace(self) -> None:
        """Replace a damaged file by its salvaged data, and continue."""
        self._close()
        self._database = self._open(damaged=True)

    def _is_repairable(self, error: Exception) -> bool:
        """Return whether an error is of the file, and not one that a repair has just not ended."""
        return is_damage(error) or (is_malformed(error) and not self._mended)

    def _repair(self) -> None:
        self._mended = True
        self.changes += 1
        what, lost = importlib.import_module("runtime.gateway.journal.repair").repair(self._path)
        log.error(what)
        self._report(Repaired(what, lost))

    def _begin_fault(self, why: str) -> None:
        if self._fault != why:
            self._fault = why
            log.error("the journal stores nothing", reason=why)
            self._report(FaultChanged(why))

    def _end_fault(self) -> None:
        if self._fault is not None:
            self._fault = None
            log.info("the journal stores again")
            self._space.reserve()
            self._report(FaultChanged(None))

    def _report(self, event: Event) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._report_on_loop, event)


def _reason(error: Exception) -> str:
    full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    if full or getattr(error, "errno", None) == errno.ENOSPC:
        return JOURNAL_FULL
    return f"journal: {error}"

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
from runtime.gateway.journal.damage import is_damage
from runtime.gateway.journal.records import Answered, Outcome, Place, Record
from runtime.gateway.journal.shares import BATCH_BYTES, Share, size_of
from runtime.gateway.journal.space import Space
from runtime.gateway.journal.thread_slice import take_short_slices

# At least so long lies between the beginnings of two commits: one for each wake-up would cost
# the event loop, which has to take each result, more than the messages themselves.
FLOOR_SECONDS = 0.0015
RETRY_SECONDS = 1.0  # between two tries while nothing can be stored
IDLE_SECONDS = 0.1  # without work, then there is time for the file itself
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


class Trouble(msgspec.Struct):
    """Nothing can be stored, for this reason; ``None``: storing works again."""

    why: str | None


class Repaired(msgspec.Struct):
    """The file was damaged, with one sentence about the salvaged data; ``Opened`` follows."""

    what: str


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


Event = Opened | Stored | Trouble | Repaired | Failed | JobDone | Ended


class Writer(threading.Thread):
    """The thread that writes the journal at ``path``. ``report(event)`` is called on ``loop``.

    Lists of records and jobs are queued by ``put``, ``None`` ends the thread. ``tend(database)``
    does something small for the file between commits, and returns whether it has more to do.
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
        self._trouble: str | None = None
        self._sqlite: Any = None
        self._database: Any = None
        self._checkpoints: Any = None
        self._taken = 0  # records from the queue
        self._share = Share()  # of the last commit

    def stop(self) -> None:
        """Store queued records if possible at once, and end."""
        self._stopping.set()
        self.put(None)

    def run(self) -> None:
        """Open the file and store records until ``stop``; repair a damaged file."""
        take_short_slices()
        try:
            self._database = self._open()
            if self._database is not None:
                try:
                    self._work()
                finally:
                    self._close()
        except Exception as error:
            log.exception("the journal's writer failed")
            self._report(Failed(f"the journal's writer failed: {error}"))
        finally:
            self._report(Ended())

    def _open(self) -> Any:
        module = importlib.import_module("runtime.gateway.journal.database")
        self._sqlite = importlib.import_module("sqlite3")
        while True:
            try:
                try:
                    database = module.Database(self._path)
                except self._sqlite.DatabaseError as error:
                    if not is_damage(error):
                        raise
                    self._repair()
                    continue
            except module.TooNew as error:
                self._report(Failed(str(error), final=True))
                return None
            except (self._sqlite.OperationalError, OSError) as error:
                full = _reason(error) == JOURNAL_FULL
                self._in_trouble(
                    JOURNAL_FULL if full else f"{self._path} cannot be opened: {error}"
                )
                if self._stopping.wait(RETRY_SECONDS):
                    return None
            else:
                self._out_of_trouble()
                self._space.keep()
                checkpoints = importlib.import_module("runtime.gateway.journal.checkpoints")
                self._checkpoints = checkpoints.Checkpoints(self._path, database.connection)
                self._report(Opened(dict(database.places)))
                return database

    def _close(self) -> None:
        if self._database is not None:
            self._checkpoints.stop()
            self._database.close()
            self._database = None

    def _work(self) -> None:
        dirty = True
        while True:
            try:
                item: Any = []
                if not self._share.later:
                    wait = IDLE_SECONDS if dirty else self._checkpoints.empties_in
                    item = self._queue.get(timeout=wait)
            except queue.Empty:
                dirty = self._rest()
                continue
            if item is None:
                return
            dirty = True
            if isinstance(item, tuple):
                self._do(*item)
                continue
            share, after = self._gather(item)
            if not self._store(share):
                return
            if time.monotonic() - self._tended > TEND_SECONDS:
                self._tend_now()
            if after is None:
                continue
            while self._share.later:
                if not self._store(Share(self._share.later)):
                    return
            if after == ():
                return
            self._do(*after)

    def _gather(self, records: list[Record]) -> tuple[Share, Any]:
        """Return what belongs into one commit, and what stood in the queue behind it: a job, ``()``
        for the end, ``None`` for nothing.
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
            except (self._sqlite.DatabaseError, OSError) as error:
                if is_damage(error):
                    self._replace()
                    continue
                self._in_trouble(_reason(error))
                if self._stopping.wait(RETRY_SECONDS):
                    return False
                self._make_room()
            else:
                self._out_of_trouble()
                keys = {record.key for record in records}
                places = {key: database.places[key] for key in keys}
                self._report(Stored(share.numbers, outcomes, places))
                self._committed(len(keys))
                if any(isinstance(each, Answered) and each.redactions for each in records):
                    self._checkpoints.redacted()
                share.forget()
                return True

    def _committed(self, accounts: int) -> None:
        pages = (
            8 * accounts + self._share.size_bytes // 2048
        )  # a row that spills over fills pages of 4096
        self._checkpoint(lambda checkpoints: checkpoints.committed(pages))

    def _checkpoint(self, step: Callable[[Any], Any]) -> Any:
        """Call ``step(checkpoints)``; return ``None`` if the checkpoint failed."""
        try:
            return step(self._checkpoints)
        except (self._sqlite.DatabaseError, OSError) as error:
            self._not_tended(error)
            return None

    def _do(self, number: int, job: Job) -> None:
        self._checkpoint(lambda checkpoints: checkpoints.settle())
        try:
            done = JobDone(number, job(self._database))
        except Exception as error:  # noqa: BLE001 - it is raised where the job was asked for
            done = JobDone(number, error=error)
        self._checkpoints.wrote()
        self._report(done)

    def _rest(self) -> bool:
        """Do maintenance while idle; return whether there is more to do."""
        more = self._checkpoint(lambda checkpoints: checkpoints.rest())
        return more is not None and (self._tend_now() or more)

    def _tend_now(self) -> bool:
        """Do a small step of maintenance; return whether there is more to do."""
        database = self._database
        self._tended = time.monotonic()
        try:
            more = self._tend(database)
        except (self._sqlite.DatabaseError, OSError) as error:
            self._not_tended(error)
            return False
        if more:
            self._checkpoints.wrote()
        if database.changed:
            places = {key: database.places[key] for key in database.changed}
            self._report(Stored([], [], places))
            database.changed.clear()
        return more

    def _not_tended(self, error: Exception) -> None:
        log.warning("the journal could not be tended", error=str(error))
        if is_damage(error):
            self._replace()

    def _make_room(self) -> None:
        """Remove the reserve, so that old messages can be deleted on a full disk."""
        if self._trouble == JOURNAL_FULL:
            self._space.give_away()
            self._checkpoint(lambda checkpoints: checkpoints.finish())
            self._tend_now()

    def _replace(self) -> None:
        """Replace a damaged file by its salvaged data, and continue."""
        self._close()
        self._repair()
        self._database = self._open()

    def _repair(self) -> None:
        what = importlib.import_module("runtime.gateway.journal.repair").repair(self._path)
        log.error(what)
        self._report(Repaired(what))

    def _in_trouble(self, why: str) -> None:
        if self._trouble != why:
            self._trouble = why
            log.error("the journal stores nothing", reason=why)
            self._report(Trouble(why))

    def _out_of_trouble(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            log.info("the journal goes on")
            self._space.keep()
            self._report(Trouble(None))

    def _report(self, event: Event) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._report_on_loop, event)


def _reason(error: Exception) -> str:
    full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    if full or getattr(error, "errno", None) == errno.ENOSPC:
        return JOURNAL_FULL
    return f"journal: {error}"

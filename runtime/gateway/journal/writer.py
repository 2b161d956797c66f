"""Stores records on a thread of its own: all that came during one commit is the next one.

The thread never touches an object of the event loop: it takes records, which nobody changes,
and reports what became of them to a callable that runs on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from runtime.gateway.journal.records import Arrived, Kept, Place, Record

# At least so long lies between the beginnings of two commits: one for each wake-up would cost
# the event loop, which has to take each result, more than the messages themselves.
FLOOR_SECONDS = 0.0015
BATCH_BYTES = 2 * 1024 * 1024  # of one commit; more waits for the next one
RETRY_SECONDS = 1.0  # between two tries while nothing can be stored
IDLE_SECONDS = 0.1  # without work, then there is time for the file itself

log = structlog.get_logger("gateway.journal")

Job = Callable[[Any], Any]  # gets the ``Database``


class Opened(msgspec.Struct):
    """The file is open: the places of all accounts."""

    places: dict[str, Place]


class Stored(msgspec.Struct):
    """Records were stored, in the order in which they were appended."""

    outcomes: list[Kept | None]
    places: dict[str, Place]


class Trouble(msgspec.Struct):
    """Nothing can be stored, for this reason; ``None``: it can again."""

    why: str | None


class Failed(msgspec.Struct):
    """The file cannot be used, and trying again does not help."""

    why: str


class JobDone(msgspec.Struct):
    """A job has ended, with a result or an exception."""

    number: int
    result: Any = None
    error: Exception | None = None


class Ended(msgspec.Struct):
    """The thread has ended."""


Event = Opened | Stored | Trouble | Failed | JobDone | Ended


class Writer(threading.Thread):
    """The thread that writes the journal at ``path``. ``report(event)`` is called on ``loop``.

    ``records`` and ``jobs`` are queued by ``put``, ``None`` ends the thread. ``tend(database)``
    is called when there is nothing to store, and returns whether it has more to do.
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
        self._began = 0.0
        self._trouble: str | None = None
        self._sqlite: Any = None

    def stop(self) -> None:
        """Store what is queued if that is possible at once, and end."""
        self._stopping.set()
        self.put(None)

    def run(self) -> None:
        """Open the file and work until ``stop``."""
        try:
            database = self._open()
            if database is not None:
                try:
                    self._work(database)
                finally:
                    database.close()
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
                database = module.Database(self._path)
            except module.TooNew as error:
                self._report(Failed(str(error)))
                return None
            except (self._sqlite.OperationalError, OSError) as error:
                self._in_trouble(f"{self._path} cannot be opened: {error}")
                if self._stopping.wait(RETRY_SECONDS):
                    return None
            else:
                self._out_of_trouble()
                self._report(Opened(dict(database.places)))
                return database

    def _work(self, database: Any) -> None:
        dirty = True
        while True:
            try:
                item = self._queue.get(timeout=IDLE_SECONDS if dirty else None)
            except queue.Empty:
                dirty = self._rest(database)
                continue
            if item is None:
                return
            dirty = True
            if isinstance(item, tuple):
                self._do(database, *item)
                continue
            records, after = self._gather(item)
            if not self._store(database, records):
                return
            if after is None:
                continue
            if after == ():
                return
            self._do(database, *after)

    def _gather(self, records: list[Record]) -> tuple[list[Record], Any]:
        """Return the records of one commit, and what stood in the queue behind them.

        That is a job, ``()`` for the end, ``None`` for nothing.
        """
        wait = self._began + FLOOR_SECONDS - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        records = list(records)
        size = sum(map(size_of, records))
        while size < BATCH_BYTES:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return records, ()
            if isinstance(item, tuple):
                return records, item
            records += item
            size += sum(map(size_of, item))
        return records, None

    def _store(self, database: Any, records: list[Record]) -> bool:
        """Store records, however long that takes; return whether it was done before the end."""
        while True:
            self._began = time.monotonic()
            try:
                outcomes = database.store(records)
            except (self._sqlite.OperationalError, OSError) as error:
                self._in_trouble(_reason(error))
                if self._stopping.wait(RETRY_SECONDS):
                    return False
            else:
                self._out_of_trouble()
                keys = {record.key for record in records}
                self._report(Stored(outcomes, {key: database.places[key] for key in keys}))
                return True

    def _do(self, database: Any, number: int, job: Job) -> None:
        try:
            done = JobDone(number, job(database))
        except Exception as error:  # noqa: BLE001 - it is raised where the job was asked for
            done = JobDone(number, error=error)
        self._report(done)

    def _rest(self, database: Any) -> bool:
        """Tend the file; return whether there is more to do."""
        try:
            database.checkpoint()
            return self._tend(database)
        except (self._sqlite.OperationalError, OSError) as error:
            log.warning("the journal could not be tended", error=str(error))
            return False

    def _in_trouble(self, why: str) -> None:
        if self._trouble != why:
            self._trouble = why
            log.error("the journal stores nothing", reason=why)
            self._report(Trouble(why))

    def _out_of_trouble(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            log.info("the journal goes on")
            self._report(Trouble(None))

    def _report(self, event: Event) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._report_on_loop, event)


def size_of(record: Record) -> int:
    """Return how many bytes of a record count against the bounds."""
    if isinstance(record, Arrived):
        return sum(map(len, record.payloads)) + len(record.cursor) + 64
    return 256


def _reason(error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", "")
    return "journal full" if name == "SQLITE_FULL" else f"journal: {error}"

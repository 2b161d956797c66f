"""Implements the journal in a file, as used by the event loop."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ipc.frames.cursors import Cursor
from runtime.gateway.journal import forgetting
from runtime.gateway.journal.base import JournalBase
from runtime.gateway.journal.conversations import (
    FoundEntry,
    Session,
    SessionFilter,
    TranscriptEntry,
)
from runtime.gateway.journal.damage import is_damage, is_malformed
from runtime.gateway.journal.erasing import Forgotten, RemoveFiles, keep_files
from runtime.gateway.journal.interface import PAGE_BYTES, Done, FramePage, Keep
from runtime.gateway.journal.items import KeptItem
from runtime.gateway.journal.nightly import NightlyCopies
from runtime.gateway.journal.outgoing import OpenRow, OutgoingMessage, OutgoingRow
from runtime.gateway.journal.people import Person
from runtime.gateway.journal.records import Record
from runtime.gateway.journal.retention import Retention
from runtime.gateway.journal.runs import Run
from runtime.gateway.journal.shares import size_of
from runtime.gateway.journal.writer import (
    Ended,
    Event,
    Failed,
    FaultChanged,
    JobDone,
    Opened,
    Repaired,
    Stored,
    Writer,
)

T = TypeVar("T")


def _nothing() -> None:
    """Do nothing: the default callback."""


class StoredJournal(JournalBase):
    """A journal in the file ``path``, which a separate thread opens and writes.

    ``on_change()`` is called when ``ready`` or ``fault`` has changed, ``on_commit()`` when the
    results of a commit have been handed on, ``on_failure(why, final)`` when nothing will be stored
    any more (see ``Failed``). ``repaired`` says what became of a damaged file, ``lost`` names the
    accounts whose position was lost with it. Each night it is copied into the directory ``copies``,
    where there is one.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_change: Callable[[], None] = _nothing,
        on_commit: Callable[[], None] = _nothing,
        on_failure: Callable[[str, bool], None] = lambda why, final: None,
        keep: Keep | None = None,
        copies: Path | None = None,
    ) -> None:
        super().__init__()
        self.path = path
        self._on_change = on_change
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._turn: list[Record] = []
        self._waiting: dict[int, tuple[int, Done | None]] = {}  # by number, as ``Stored`` has it
        self._appended = 0
        self._jobs: dict[int, asyncio.Future[Any]] = {}
        self._job = 0
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._reads = ThreadPoolExecutor(1, thread_name_prefix="journal-reads")
        self._reader: Any = None
        self._opened = 0  # how often the writer has opened the file
        self._repairing = asyncio.Lock()
        self._unrepairable = False  # a repair has not made the file readable
        self._searches: ThreadPoolExecutor | None = None
        self._index: Any = None
        self._retention = Retention(keep)
        self._writer = Writer(path, self._loop, self._on_event, self._retention.step)
        self._writer.start()
        copied = (keep or Keep()).copies
        self._nightly = NightlyCopies(path, copies, copied, self._changes) if copies else None

    def append(self, record: Record, done: Done | None = None) -> None:
        """Queue a record; ``done`` is called once it is stored, in order per account."""
        size = size_of(record)
        self.waiting_bytes += size
        self._turn.append(record)
        self._waiting[self._appended] = size, done
        self._appended += 1

    def flush(self) -> None:
        """Begin to store the records appended in this loop iteration."""
        if self._turn:
            self._writer.put(self._turn)
            self._turn = []

    async def after(self, key: str, cursor: Cursor, limit_bytes: int = PAGE_BYTES) -> FramePage:
        """Return the first stored frames of an account after ``cursor``."""
        place = self._places.get(key)
        return await self._read(lambda reader: reader.after(key, cursor, limit_bytes, place))

    async def outgoing(self, key: str) -> list[OpenRow]:
        """Return the unsent messages of an account, oldest first, without contents."""
        return await self._read(lambda reader: reader.outgoing(key))

    async def letters(self, limit: int) -> list[tuple[str, OutgoingRow]]:
        """Return dead letters with the keys of their accounts, oldest first."""
        return await self._read(lambda reader: reader.letters(limit))

    async def letter(self, id: str) -> tuple[str, OutgoingMessage] | None:
        """Return a dead letter by its id, with the key of its account."""
        return await self._read(lambda reader: reader.letter(id))

    async def sent_by(self, key: str, row: str) -> OutgoingMessage | None:
        """Return an account's outgoing message with the key ``row``."""
        return await self._read(lambda reader: reader.sent_by(key, row))

    async def beginnings(
        self, rows: Collection[tuple[str, str]], characters: int
    ) -> dict[tuple[str, str], str]:
        """Return the first characters of messages, by account and key of their row."""
        return await self._read(lambda reader: reader.beginnings(rows, characters))

    async def people(self, key: str) -> list[Person]:
        """Return the records of people who asked to be admitted to an account."""
        return await self._read(lambda reader: reader.people(key))

    async def items(self, kind: str) -> list[KeptItem]:
        """Return the documents of a kind by their ids."""
        return await self._read(lambda reader: reader.items(kind))

    async def open_runs(self, key: str) -> list[Run]:
        """Return the runs of an account that have not ended, in the order of their records."""
        return await self._read(lambda reader: reader.open_runs(key))

    async def run_of(self, id: str) -> Run | None:
        """Return the newest run with an id, whatever account it is of."""
        return await self._read(lambda reader: reader.run(id))

    async def session(self, key: str) -> Session | None:
        """Return the session under a key."""
        return await self._read(lambda reader: reader.session(key))

    async def sessions(
        self, which: SessionFilter, limit: int, offset: int = 0
    ) -> tuple[list[Session], int]:
        """Return sessions, those that changed last first, and how many there are in all."""
        return await self._read(lambda reader: reader.sessions(which, limit, offset))

    async def entries(
        self, session: str, limit: int, *, after: int | None = None, before: int | None = None
    ) -> list[TranscriptEntry]:
        """Return entries of a session's transcript in their order."""
        return await self._read(lambda reader: reader.entries(session, after, before, limit))

    async def search(self, text: str, limit: int) -> list[FoundEntry]:
        """Return the newest entries that have, for each word of a text, one that begins with it.

        Raises ``sqlite3.Error`` where this Python's SQLite has no FTS5.
        """
        if self._searches is None:
            self._searches = ThreadPoolExecutor(1, thread_name_prefix="journal-search")
            module = importlib.import_module("runtime.gateway.journal.search")
            self._index = module.SearchIndex(self.path)
        run, index = self._loop.run_in_executor, self._index
        while await run(self._searches, index.step):
            pass
        return await run(self._searches, index.find, text, limit)

    async def chats_of(self, sender: str, keys: Collection[str]) -> dict[str, set[str]]:
        """Return the direct chats with a person in each account, as far as frames show them."""
        return await self.run(lambda database: forgetting.chats_of(database, sender, keys))

    async def erase(
        self, sender: str, chats: Mapping[str, Collection[str]], remove: RemoveFiles = keep_files
    ) -> Forgotten:
        """Erase a person from the accounts in ``chats``, which has the direct chats of each.

        ``remove(files)`` removes the stored files, on the writer's thread. Nothing is stored
        meanwhile.
        """
        return await self.run(lambda database: forgetting.erase(database, sender, chats, remove))

    def set_keep(self, keep: Keep) -> None:
        """Set how long and how much is kept."""
        self._retention.set_keep(keep)
        if self._nightly is not None:
            self._nightly.keep = keep.copies
        self._begin(lambda database: None)  # the writer wakes, and deletes what is too old now

    async def run(self, job: Callable[[Any], T]) -> T:
        """Call ``job(database)`` on the writer's thread, after what is queued."""
        return await self._begin(job)

    def _begin(self, job: Callable[[Any], T]) -> asyncio.Future[T]:
        self.flush()
        self._job += 1
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs[self._job] = future
        self._writer.put((self._job, job))
        return future

    def _changes(self) -> int:
        return self._writer.changes

    async def close(self) -> None:
        """Store what has been appended if that is possible, and end."""
        self.flush()
        self._writer.stop()
        await self._ended
        self._writer.join()
        if self._nightly is not None and self._nightly.is_alive():
            self._nightly.stop()
        self._reads.submit(self._close_reader)
        self._reads.shutdown()
        if self._searches is not None:
            self._searches.submit(self._index.close)
            self._searches.shutdown()

    async def _read(self, read: Callable[[Any], T]) -> T:
        """Read from the file; one that shows to be damaged is repaired, and read again."""
        opened = self._opened
        try:
            return await self._loop.run_in_executor(self._reads, self._with_reader, read)
        except Exception as error:
            if not self._is_repairable(error):
                raise
            await self._repair(error, opened)
        try:
            return await self._loop.run_in_executor(self._reads, self._with_reader, read)
        except Exception as error:
            self._unrepairable = self._is_repairable(error)
            raise

    def _is_repairable(self, error: Exception) -> bool:
        """Return whether an error of a read is of the file, and a repair is possible now."""
        of_file = is_damage(error) or is_malformed(error)
        return of_file and self.fault is None and not self._unrepairable

    async def _repair(self, error: Exception, opened: int) -> None:
        """Have the writer repair the file, unless it was opened anew since a read has failed."""
        errors = [error]

        def raise_once(database: Any) -> None:
            if errors:
                raise errors.pop()

        async with self._repairing:
            if self._opened == opened:
                await self.run(raise_once)

    def _with_reader(self, read: Callable[[Any], T]) -> T:
        if self._reader is None:
            module = importlib.import_module("runtime.gateway.journal.reader")
            self._reader = module.JournalReader(self.path)
        return read(self._reader)

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _on_event(self, event: Event) -> None:
        match event:
            case Stored():
                self._on_stored(event)
            case Opened():
                self.lost |= {key for key in self._places if key not in event.places}
                self._places = event.places
                self._opened += 1
                self._reads.submit(self._close_reader)  # it may have the file that was replaced
                if self._nightly is not None and not self.ready:
                    self._nightly.start()
                self.ready = True
                self._on_change()
            case Repaired():
                self.repaired = event.what
                self.lost |= event.lost
            case FaultChanged():
                self.fault = event.why
                self._on_change()
            case Failed():
                self._on_failure(event.why, event.final)
            case JobDone():
                self._on_job_done(event)
            case Ended():
                self._ended.set_result(None)
                for future in self._jobs.values():
                    future.cancel()

    def _on_stored(self, event: Stored) -> None:
        self._places |= event.places
        self.commits += 1
        for number, outcome in zip(event.numbers, event.outcomes, strict=True):
            size, done = self._waiting.pop(number)
            self.waiting_bytes -= size
            if done is not None:
                done(outcome)
        self._on_commit()

    def _on_job_done(self, event: JobDone) -> None:
        future = self._jobs.pop(event.number)
        if future.done():
            return
        if event.error is not None:
            future.set_exception(event.error)
        else:
            future.set_result(event.result)

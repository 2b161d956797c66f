"""Journals of both kinds, and records for them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from ipc.frames.data import INBOUND
from ipc.frames.words import JOURNAL_FULL
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.outgoing import OutgoingMessage, OutgoingRow
from runtime.gateway.journal.records import Arrived, Outcome, Record
from runtime.gateway.journal.stored import StoredJournal
from tests.support.gateway_rig import payload
from tests.support.until import PATIENCE, until
from workers.messages import Outbound

KEY = "irc:libera"
KINDS = ("memory", "stored")


class HeldJournal(MemoryJournal):
    """A journal that stores when the test says; another one of the same file may follow it."""

    def __init__(self, before: HeldJournal | None = None) -> None:
        super().__init__()
        if before is not None:  # what its file would hold
            self._places, self._seen = before._places, before._seen
            self._frames, self._outgoing = before._frames, before._outgoing
            self._conversations = before._conversations
            self._items = before._items  # as above

    def flush(self) -> None:
        """Keep the appended records for ``store``."""

    def store(self) -> None:
        """Store the appended records."""
        self._commit()

    def store_unnoticed(self) -> None:
        """Store the appended records without reporting it: the process is killed at that moment."""
        self._queue = [(record, None) for record, _ in self._queue]
        self._commit()

    async def close(self) -> None:
        """Store nothing more."""
        self._queue.clear()


class FullDisk:
    """A disk without room for what is appended to a journal, until ``free``."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self._kept: list[tuple[Record, Any]] = []
        journal.append = lambda record, done=None: self._kept.append((record, done))
        journal.fault = JOURNAL_FULL

    def free(self) -> None:
        """Let everything that waits be stored, and what comes from now on."""
        del self._journal.append
        self._journal.fault = None
        for record, done in self._kept:
            self._journal.append(record, done)
        self._journal.flush()


@contextlib.asynccontextmanager
async def journal_of(kind: str, place: Path) -> AsyncIterator[Journal]:
    """Run a journal of a kind, and wait until it is ready."""
    made: Journal = MemoryJournal() if kind == "memory" else StoredJournal(place / "journal.db")
    try:
        await until(lambda: made.ready)
        yield made
    finally:
        await made.close()


def arrived(
    first: int,
    *ids: str,
    incarnation: int = 1,
    key: str = KEY,
    cursor: bytes = b"",
    at: int | None = None,
) -> Arrived:
    """Return frames numbered from ``first`` on, with these ids of messages."""
    payloads = [
        payload(key, number, incarnation, id=each) for number, each in enumerate(ids, first)
    ]
    now = int(time.time() * 1000) if at is None else at  # what is old is forgotten at once
    flags = bytes([INBOUND]) * len(ids)
    return Arrived(key, incarnation, first, flags, payloads, [*ids], cursor, now)


def outgoing(key: str, chat: str = "ada", text: str = "hello", **fields: Any) -> OutgoingMessage:
    """Return a message that is to be sent; ``fields`` are those of its row."""
    now = int(time.time() * 1000)
    row = OutgoingRow(key, f"id-{key}", chat, **{"at": now, "expires": now + 60_000} | fields)
    return OutgoingMessage(row, msgspec.json.encode(Outbound(chat, text, key)))


async def store(journal: Journal, *records: Record) -> list[Outcome]:
    """Append records, flush, and return the outcomes."""
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[Outcome]] = []
    for record in records:
        future = loop.create_future()
        waiting.append(future)
        journal.append(record, future.set_result)
    journal.flush()
    async with asyncio.timeout(PATIENCE):
        return [await future for future in waiting]


async def everything(
    journal: Journal, key: str = KEY, after: tuple[int, int] = (0, 0)
) -> list[str]:
    """Return ``<cursor> <id>`` of all frames after a cursor, with the numbers that they skip."""
    found = []
    while True:
        page = await journal.after(key, after, 1)
        for incarnation, _, part in page.parts:
            found += list(map(shown, part.payloads))
            after = incarnation, part.last
        if not page.more:
            return found


def shown(payload: bytes) -> str:
    """Return the cursor and the id of a message, and the numbers that it skips."""
    event = msgspec.json.decode(payload)
    skips = f" skips {event['skips']}" if "skips" in event else ""
    return f"{event['cursor']} {event['message']['id']}{skips}"


async def open_messages(journal: Journal, key: str) -> list[OutgoingMessage]:
    """Return the messages of an account that are still to be sent, with their contents."""
    found = [await journal.sent_by(key, each.row.key) for each in await journal.outgoing(key)]
    return [each for each in found if each is not None]

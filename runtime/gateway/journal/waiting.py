"""Waits until a record is stored, or fails once the journal cannot store.

A record that was appended stays in the queue and is stored when there is room again. The error says
so, because a request that is made again would have its effect twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ipc.errors import RemoteError
from ipc.frames.words import JOURNAL_FULL, UNAVAILABLE
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.records import Outcome, Record

T = TypeVar("T")
CHECK_SECONDS = 0.5  # a commit takes milliseconds: after that the cause is sought
LATER = "it is done once there is room again"


async def store_record(journal: Journal, record: Record, flush_soon: Callable[[], None]) -> Outcome:
    """Store a record; return the outcome. Raises ``RemoteError`` if nothing can be stored."""
    return await wait_stored(journal, append_record(journal, record, flush_soon))


def append_record(
    journal: Journal, record: Record, flush_soon: Callable[[], None]
) -> asyncio.Future[Outcome]:
    """Append a record; return the future of its outcome: once it is stored, whenever that is."""
    done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def on_stored(outcome: Outcome) -> None:
        if not done.done():  # else the caller has an error, or is gone
            done.set_result(outcome)

    journal.append(record, on_stored)
    flush_soon()
    return done


async def wait_stored(journal: Journal, done: asyncio.Future[T], later: str = LATER) -> T:
    """Await ``done``; raises ``RemoteError`` if the journal cannot store meanwhile.

    A fault that lasts only a moment does not count: it must be there at two checks. ``later`` is
    the part of the error text about what happens to the record all the same.
    """
    before = journal.fault
    while not done.done():
        await asyncio.wait({done}, timeout=CHECK_SECONDS)
        if not done.done() and before is not None and journal.fault is not None:
            raise RemoteError(UNAVAILABLE, f"{unstored(journal.fault)}; {later}")
        before = journal.fault
    return done.result()


def unstored(fault: str) -> str:
    """Return the sentence that says why nothing can be stored."""
    why = "disk full (journal full)" if fault == JOURNAL_FULL else fault
    return f"nothing can be stored: {why}"

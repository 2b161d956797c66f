"""Waits until a record is stored, or fails once the journal cannot store.

A record that was appended stays in the queue and is stored when there is room again, so who waits
is told that; a request that is made again would do it twice.
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
LOOK_SECONDS = 0.5  # a commit takes milliseconds: who waits for longer looks why
LATER = "it is done once there is room again"


async def stored(journal: Journal, record: Record, flush_soon: Callable[[], None]) -> Outcome:
    """Store a record; return the outcome. Raises ``RemoteError`` if nothing can be stored."""
    done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def take(outcome: Outcome) -> None:
        if not done.done():  # who waited has been told, or has gone
            done.set_result(outcome)

    journal.append(record, take)
    flush_soon()
    return await unless_in_trouble(journal, done)


async def unless_in_trouble(journal: Journal, done: asyncio.Future[T], later: str = LATER) -> T:
    """Await ``done``; raises ``RemoteError`` if the journal cannot store meanwhile.

    A trouble of one moment is waited for: it has to be there at two looks. ``later`` says what
    becomes of it all the same.
    """
    before = journal.trouble
    while not done.done():
        await asyncio.wait({done}, timeout=LOOK_SECONDS)
        if not done.done() and before is not None and journal.trouble is not None:
            raise RemoteError(UNAVAILABLE, f"{unstored(journal.trouble)}; {later}")
        before = journal.trouble
    return done.result()


def unstored(trouble: str) -> str:
    """Return the sentence that says why nothing can be stored."""
    why = "disk full (journal full)" if trouble == JOURNAL_FULL else trouble
    return f"nothing can be stored: {why}"

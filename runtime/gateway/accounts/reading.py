"""Tracks how far the messages of an account have been read, and what waits to be read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from ipc.frames.cursors import Cursor
from runtime.gateway.accounts.agents import Received
from runtime.gateway.journal.records import Part, Place, Withheld
from runtime.gateway.outbox.attachments import stored_files

BATCH = 256  # messages that are decided about before other accounts have their turn

StoredPart = tuple[int, int, Part]  # incarnation, time of arrival, frames


class Reading:
    """How far the messages of one account have been read.

    ``behind``: what follows ``read`` comes from the journal, not from ``parts``; ``missed`` then
    says that something more has come. Up to ``settled`` an earlier gateway has decided. What is
    ``withheld`` is redacted by the next record, and its ``files`` go afterwards.
    """

    def __init__(self, place: Place | None, *, behind: bool) -> None:
        settled = None if place is None else place.settled
        self.settled: Cursor = settled or (0, 0)
        self.read: Cursor = (0, 0)
        if place is not None:
            self.read = place.heard or settled or place.floor or (0, 0)
        self.behind = behind
        self.missed = self.busy = False
        self.parts: deque[StoredPart] = deque()
        self.withheld: list[Withheld] = []
        self.files: list[str] = []
        self.timer: asyncio.TimerHandle | None = None

    def stop_timer(self) -> None:
        """Cancel the timer of the next record, if it is set."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def pop_withheld(self) -> tuple[list[Withheld], list[str]]:
        """Return the messages to be redacted and their files, once."""
        withheld, files = self.withheld, self.files
        self.withheld, self.files = [], []
        return withheld, files

    def withhold(self, cursor: Cursor, reason: str, event: Received) -> None:
        """Mark a message for redaction: only the fact that it came is kept."""
        self.withheld.append(Withheld(cursor, reason))
        self.files += stored_files(event.message)


def batches(parts: list[StoredPart]) -> Iterator[list[StoredPart]]:
    """Yield parts in their order, about ``BATCH`` messages at a time."""
    batch: list[StoredPart] = []
    for each in parts:
        batch.append(each)
        if sum(len(part.payloads) for _, _, part in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch

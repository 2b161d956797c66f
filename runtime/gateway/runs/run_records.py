"""Stores the steps of runs, and the start of a turn in one record with its outcome.

An agent that answers at once costs one commit less. A gateway that is killed meanwhile leaves the
run as one that waits: the next one begins it under the name that its turn has already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.records import Outcome
from runtime.gateway.journal.runs import Run, RunEnded, RunRecord, RunStarted
from runtime.gateway.runs.replies import is_aside

HOLD_SECONDS = 0.05


class RunRecords:
    """Appends the records of runs to the journal; ``flush_soon`` ends the loop's turn."""

    def __init__(self, journal: Callable[[], Journal | None], flush_soon: Callable[[], None]):
        self._journal, self._flush_soon = journal, flush_soon
        self._held: dict[str, RunStarted] = {}  # starts that are not stored yet, by run
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def append(self, record: RunRecord, done: Callable[[Outcome], None] | None = None) -> None:
        """Append a record, after the start of its run if that is held back."""
        started = self._held.pop(record.run, None)
        journal = self._journal()
        if journal is None or self._closed:
            return
        if started is not None:
            journal.append(started)
        journal.append(record, done)
        self._flush_soon()

    def append_start(self, record: RunStarted, then: Callable[[Outcome], None] | None) -> None:
        """Append the start of a turn, at once if ``then`` waits for that.

        Otherwise it is stored with the next record of its run, or soon on its own.
        """
        if then is not None:
            self.append(record, then)
            return
        self._held[record.run] = record
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_later(HOLD_SECONDS, self._append_held)

    def close(self) -> None:
        """Stop appending: the next gateway recovers from the records that there are."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _append_held(self) -> None:
        self._timer = None
        held, self._held = self._held, {}
        for record in held.values():
            self.append(record)


def stored_of(run: Run, record: RunRecord) -> RunRecord:
    """Return the record of a step as it is stored: without the answer if the run is aside."""
    if is_aside(run) and isinstance(record, RunEnded):
        return replace(record, answer="")
    return record

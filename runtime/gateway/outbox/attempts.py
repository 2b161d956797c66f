"""Carries out the attempts at the messages of one account: calls the worker, judges the answer.

An attempt is in the journal before its call goes out. After a restart of the gateway a worker that
still lives is asked by the key of the attempt: if it has the attempt under way or done it answers
with the result, and if it has not begun it does not begin. Only the attempts of a dead worker are
in doubt.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ipc.epoch import now_ms
from ipc.frames.data import SendProgress
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.journal.outgoing import (
    Attempt,
    Delivered,
    GivenUp,
    OutgoingRow,
    PartsRendered,
    PartsSent,
    Postponed,
    RowRecord,
    changed_message,
)
from runtime.gateway.journal.records import Outcome
from runtime.gateway.outbox.account_rows import AccountRows
from runtime.gateway.outbox.entries import (
    AttemptWaiter,
    Entry,
    OutboxLinks,
    resolve,
    result_of,
    why_in_doubt,
)
from runtime.gateway.outbox.outcomes import AttemptFailure, decide, in_doubt
from runtime.gateway.outbox.previews import ShownPreviews
from workers.messages import Sent

CALL_SECONDS = 150.0  # the worker itself ends a call after 120 s, and says that it may be done
ASK_AGAIN_SECONDS = 1.0  # until a worker is asked again that could not be reached


class AccountAttempts:
    """The attempts at the ``rows`` of the account ``key``, each step stored before the next.

    ``start_due()`` begins the attempts that are due: one that has ended lets another begin.
    """

    def __init__(
        self, key: str, links: OutboxLinks, rows: AccountRows, start_due: Callable[[], None]
    ) -> None:
        self.key = key
        self.closed = False
        self._links = links
        self._rows = rows
        self._start_due = start_due
        self._shown = ShownPreviews()
        self._loop = asyncio.get_running_loop()
        self._asking: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Begin no more attempts, and ask about none."""
        self.closed = True
        if self._asking is not None:
            self._asking.cancel()

    def poll(self) -> None:
        """Ask about unresolved attempts, and begin those that are due."""
        self._asking = None
        peers = self._links.peers
        unreached = False
        for entry in list(self._rows.entries.values()):
            row = entry.row
            if row.state != "attempting" or entry.calling or entry.storing:
                continue
            if peers.is_past(self.key, row.incarnation):
                self._on_death(entry)
            else:
                unreached |= not self.call(entry, begin=False)
        if unreached and self._asking is None and not self.closed:
            self._asking = self._loop.call_later(ASK_AGAIN_SECONDS, self.poll)
        self._start_due()

    def begin(self, entry: Entry, incarnation: int, now: int) -> None:
        """Store the next attempt at a message, by this incarnation; then call the worker for it."""
        row = entry.row
        first = row.first_attempt or now
        number = row.attempts + 1
        entry.storing = True

        def on_stored(outcome: Outcome) -> None:
            entry.storing = False
            self.call(entry, begin=True)

        self._store(entry, Attempt(self.key, row.key, number, incarnation, now, first), on_stored)

    def call(self, entry: Entry, *, begin: bool) -> bool:
        """Call the worker for an attempt if it is still running; return whether it was called."""
        row = entry.row
        if self.closed or entry.calling or self._rows.entries.get(row.key) is not entry:
            return True
        peer = self._links.peers.by_key.get(self.key)
        if peer is not None and peer.incarnation == row.incarnation:
            if not entry.held or self._shown.is_unknown(row):
                entry.calling = True
                self._links.jobs.start(self._fetch(entry, begin=begin))
                return True
            params = entry.params(begin=begin, edit=self._shown.edited_by(row))
            waiter = AttemptWaiter(self.on_answer, row.key, row.attempts, begin=begin)
            self._links.jobs.begin()
            entry.calling = True
            if self._links.ask(self.key, "deliver", params, CALL_SECONDS, waiter):
                return True
            self._links.jobs.end()
            entry.calling = False
        if begin:  # nothing has gone out
            self._on_failure(
                entry, AttemptFailure(f"{self.key} is not connected", "busy", passes=True)
            )
        return False

    def on_progress(self, frame: SendProgress) -> None:
        """Store the worker's progress with a message of several parts."""
        entry = self._rows.entries.get(frame.key)
        if entry is None or entry.row.attempts != frame.attempt or not entry.calling:
            return
        try:
            sent = decode_json(frame.sent, list[Sent])
            if frame.texts:
                decode_json(frame.texts, list[str])
        except MALFORMED:
            return  # a worker's frame that is none: its answer decides
        if frame.texts:
            self._store(entry, PartsRendered(self.key, frame.key, frame.texts))
        if sent:
            self._store(entry, PartsSent(self.key, frame.key, sent))

    def on_answer(self, key: str, attempt: int, result: bytes | Exception, begin: bool) -> None:
        """Handle the result of a call about a message: the account's answer or an error.

        ``begin``: the call was to begin the attempt, and did not only ask about it.
        """
        self._links.jobs.end()
        entry = self._rows.entries.get(key)
        if entry is None or entry.row.attempts != attempt or self.closed:
            return
        entry.calling = False
        died = self._links.peers.is_past(self.key, entry.row.incarnation)
        found = result_of(result, begin=begin, died=died)
        if isinstance(found, AttemptFailure):
            self._on_failure(entry, found)
        elif found is not None:
            self._links.count("sent")
            self.finish(entry, Delivered(self.key, key, found, now_ms()))
        elif self._asking is None:
            self._asking = self._loop.call_later(ASK_AGAIN_SECONDS, self.poll)
        self._start_due()

    def finish(self, entry: Entry, record: Delivered | GivenUp) -> None:
        """Store that a message is finished; waiting callers get the result once it is stored."""
        self._rows.remove(record.row)

        def on_stored(outcome: Outcome) -> None:
            row = entry.row
            resolve([*entry.taken, *entry.ended], (row, False))
            self._links.on_end(self.key, row)

        self._store(entry, record, on_stored)
        if entry.row.origin == "preview":  # its answer may go out before this is stored
            self._shown.record(entry.row.key, entry.row)

    def _store(
        self, entry: Entry, record: RowRecord, done: Callable[[Outcome], None] | None = None
    ) -> None:
        journal = self._links.journal()
        assert journal is not None
        entry.outgoing = changed_message(entry.outgoing, record)
        journal.append(record, done)
        self._links.flush_soon()

    async def _load_preview(self, row: OutgoingRow) -> None:
        """Read from the journal which message a row replaces."""
        journal, found = self._links.journal(), None
        if journal is not None and self._shown.is_unknown(row):
            with contextlib.suppress(Exception):
                found = await journal.sent_by(self.key, row.edits)
            self._shown.record(row.edits, found)

    async def _fetch(self, entry: Entry, *, begin: bool) -> None:
        """Read a message's content from the journal, then call the worker about it."""
        journal, row = self._links.journal(), entry.row
        await self._load_preview(row)
        found = entry.outgoing if entry.held else None
        if journal is not None and found is None:
            with contextlib.suppress(Exception):  # the file cannot be read: it is tried again
                found = await journal.sent_by(self.key, row.key)
        entry.calling = False
        if self.closed or self._rows.entries.get(row.key) is not entry:
            return
        if found is None or not found.message:
            error = AttemptFailure("its text could not be read", "busy", passes=True)
            self._on_failure(entry, error if begin else in_doubt(error.text))
            return
        self._rows.restore_content(entry, found)
        if not self.call(entry, begin=begin):
            self.poll()

    def _on_death(self, entry: Entry) -> None:
        """Decide about an attempt whose worker has died."""
        if not self._shown.is_unknown(entry.row):
            self._on_failure(entry, in_doubt(why_in_doubt(entry.row)))
            return

        async def later() -> None:
            await self._load_preview(entry.row)
            entry.calling = False
            self.poll()

        entry.calling = True
        self._links.jobs.start(later())

    def _on_failure(self, entry: Entry, failure: AttemptFailure) -> None:
        self._links.count(failure.reason)
        now, row = self._rows.now(), entry.row
        edits = bool(self._shown.edited_by(row)) and not row.sent
        policy = self._links.policy(self.key)
        record = decide(self.key, row, failure, policy, now, edits=edits)
        if isinstance(record, Postponed):
            if failure.account and failure.after:
                self._rows.lineup.pause(record.next)
            self._store(entry, record)
            self._rows.lineup.postpone(row.key, record.next)
            self._rows.drop_content(entry)
        else:
            self.finish(entry, record)

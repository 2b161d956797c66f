"""Sends the messages of one account, storing each step before the next.

An attempt is in the journal before its call goes out. After a restart of the gateway a worker that
still lives is asked by the key of the attempt: if it has the attempt under way or done it answers
with the result, and if it has not begun it does not begin. Only the attempts of a dead worker are
in doubt.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable

from ipc.epoch import now_ms
from ipc.errors import PeerGone, RemoteError
from ipc.frames.data import SendProgress
from ipc.frames.words import UNAVAILABLE
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.outgoing import (
    Attempt,
    Delivered,
    GivenUp,
    Known,
    OutgoingMessage,
    OutgoingRow,
    PartsRendered,
    PartsSent,
    Postponed,
    Released,
    RowRecord,
    changed_message,
)
from runtime.gateway.journal.records import Outcome
from runtime.gateway.outbox.account_rows import AccountRows
from runtime.gateway.outbox.entries import (
    AttemptWaiter,
    Entry,
    OutboxLinks,
    fail,
    resolve,
    result_of,
    why_in_doubt,
)
from runtime.gateway.outbox.outcomes import AttemptFailure, decide, in_doubt
from runtime.gateway.outbox.previews import ShownPreviews
from runtime.gateway.outbox.row_times import loaded
from workers.messages import Sent

CALL_SECONDS = 150.0  # the worker itself ends a call after 120 s, and says that it may be done
ASK_AGAIN_SECONDS = 1.0  # until a worker is asked again that could not be reached
FAULT_MS = 1_000  # until it is tried again to begin, while the journal stores nothing


class AccountOutbox:
    """The outbox of one account. ``entries`` are its open rows by key, once ``loaded``."""

    def __init__(self, key: str, links: OutboxLinks) -> None:
        self.key = key
        self.loaded = False
        self._rows = AccountRows(links.capacity)
        self.entries, self._lineup = self._rows.entries, self._rows.lineup
        self._links = links
        self._shown = ShownPreviews()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.TimerHandle | None = None
        self._loading: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def is_full(self) -> bool:
        """Whether no more messages are accepted for the account."""
        return self._rows.is_full

    async def load(self, journal: Journal) -> None:
        """Load, once, the rows that an earlier gateway left."""
        if self.loaded:
            return
        if self._loading is not None:
            await asyncio.shield(self._loading)
            return
        self._loading = self._loop.create_future()
        try:
            found = await journal.outgoing(self.key)
        except BaseException as error:
            loading, self._loading = self._loading, None
            loading.set_exception(error)
            loading.exception()
            raise
        now = self._rows.now()
        for each in found:
            row, under_way = loaded(each.row, now), each.row.state == "attempting"
            left = OutgoingMessage(row, b"")
            self._rows.add(left, stored=True, under_way=under_way, size=each.size)
        self.loaded = True
        self._loading.set_result(None)
        self.poll()

    async def wait_for_room(self) -> None:
        """Wait until few enough messages are unsent to answer more."""
        await self._rows.room.wait()

    def accept(self, outgoing: OutgoingMessage) -> OutgoingMessage:
        """Accept a message and return its row for the journal; its attempt may begin at once.

        ``on_stored`` must follow.
        """
        row, now = outgoing.row, self._rows.now()
        peer = self._links.peers.by_key.get(self.key)
        at_once = peer is not None and not self._closed and self._lineup.may_begin(row.chat, now)
        if peer is not None and at_once:
            born = Attempt(self.key, row.key, 1, peer.incarnation, now, now)
            outgoing = changed_message(outgoing, born)
        self._rows.add(outgoing, stored=False, under_way=at_once)
        return outgoing

    def requeue(self, outgoing: OutgoingMessage, record: Released) -> None:
        """Queue a message again that was given up."""
        journal = self._links.journal()
        assert journal is not None
        self._rows.add(changed_message(outgoing, record), stored=False, under_way=False)
        journal.append(record, lambda outcome: self.on_stored([record.row], outcome))
        self._links.flush_soon()

    def on_stored(self, keys: Iterable[str], outcome: Outcome) -> None:
        """Begin to send messages that are stored now; finish those whose key was known before."""
        known = outcome.rows if isinstance(outcome, Known) else {}
        for key in keys:
            entry = self.entries.get(key)
            if entry is None:
                continue
            if key in known:
                self._rows.remove(key)
                resolve([*entry.taken, *entry.ended], (known[key], True))
                continue
            resolve(entry.taken, (entry.row, False))
            entry.taken, entry.storing, entry.stored = [], False, True
            self._lineup.on_stored(key)
            if entry.row.state == "attempting":
                self._call(entry, begin=True)
            else:
                self._rows.drop_content(entry)
        self.start_due()

    async def wait_for_row(self, key: str) -> tuple[OutgoingRow, bool]:
        """Wait until a row is over; return it, and whether its key was known before."""
        future: asyncio.Future[tuple[OutgoingRow, bool]] = self._loop.create_future()
        self.entries[key].ended.append(future)
        return await future

    def withdraw(self, key: str) -> None:
        """Drop a preview that has not been tried yet."""
        entry = self.entries.get(key)
        if entry is not None and entry.row.state == "queued" and not entry.storing:
            reason = "its answer is there"
            self._finish(entry, GivenUp(self.key, key, "expired", "", reason, at=now_ms()))

    def give_up(self, chats: Collection[str]) -> tuple[int, int]:
        """Give up waiting messages for some chats; return their number and those in progress."""
        entries = [each for each in self.entries.values() if each.row.chat in chats]
        waiting = [each for each in entries if each.row.state == "queued" and not each.storing]
        for each in waiting:
            reason = "its chat was erased"
            record = GivenUp(self.key, each.row.key, "failed", "", reason, at=now_ms())
            self._finish(each, record)
        return len(waiting), len(entries) - len(waiting)

    def poll(self) -> None:
        """Ask about unresolved attempts, and begin those that are due."""
        self._asking = None
        peers = self._links.peers
        unreached = False
        for entry in list(self.entries.values()):
            row = entry.row
            if row.state != "attempting" or entry.calling or entry.storing:
                continue
            if peers.is_past(self.key, row.incarnation):
                self._on_death(entry)
            else:
                unreached |= not self._call(entry, begin=False)
        if unreached and self._asking is None and not self._closed:
            self._asking = self._loop.call_later(ASK_AGAIN_SECONDS, self.poll)
        self.start_due()

    def start_due(self) -> None:
        """Give up messages that have waited too long, and begin attempts that are due."""
        journal, now = self._links.journal(), self._rows.now()
        if self._closed or not self.loaded or journal is None:
            return
        if journal.fault is not None:  # nothing can begin that cannot be stored
            self._set_timer(now + FAULT_MS)
            return
        for key in self._lineup.pop_expired(now):
            entry = self.entries[key]
            row = entry.row
            error = row.error or "the account could not take it in time"
            self._links.count("expired")
            letter = not row.asks_nobody
            self._finish(entry, GivenUp(self.key, key, "expired", row.reason, error, letter, now))
        peer = self._links.peers.by_key.get(self.key)
        if peer is not None:
            for key in self._lineup.begin_due(now):
                self._attempt(self.entries[key], peer.incarnation, now)
        self._set_timer(self._lineup.next_due(beginning=peer is not None))

    def on_progress(self, frame: SendProgress) -> None:
        """Store the worker's progress with a message of several parts."""
        entry = self.entries.get(frame.key)
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
        entry = self.entries.get(key)
        if entry is None or entry.row.attempts != attempt or self._closed:
            return
        entry.calling = False
        died = self._links.peers.is_past(self.key, entry.row.incarnation)
        found = result_of(result, begin=begin, died=died)
        if isinstance(found, AttemptFailure):
            self._on_failure(entry, found)
        elif found is not None:
            self._links.count("sent")
            self._finish(entry, Delivered(self.key, key, found, now_ms()))
        elif self._asking is None:
            self._asking = self._loop.call_later(ASK_AGAIN_SECONDS, self.poll)
        self.start_due()

    def forget(self, why: str) -> None:
        """Drop all state of an account that was removed or has no journal any more."""
        self._stop()
        error = RemoteError(UNAVAILABLE, f"{self.key} {why}")
        for entry in self.entries.values():
            fail([*entry.taken, *entry.ended], error)
        self._rows.clear()

    def close(self) -> None:
        """Begin no more attempts; give up messages whose caller waits, keep all others.

        The caller is told so once it is stored: else the next gateway might send the message.
        """
        journal = self._links.journal()
        may_store = journal is not None and journal.fault is None
        for entry in list(self.entries.values()):
            row = entry.row
            if row.origin == "send" and row.state == "queued" and may_store:
                error, now = row.error or "the gateway is restarting", now_ms()
                self._finish(
                    entry, GivenUp(self.key, row.key, "expired", row.reason, error, at=now)
                )
            else:
                gone = PeerGone("the gateway", maybe_executed=True)
                fail([*entry.taken, *entry.ended], gone)
        self._stop()
        self._rows.room.set()

    def _stop(self) -> None:
        self._closed = True
        for timer in (self._timer, self._asking):
            if timer is not None:
                timer.cancel()

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
        if self._closed or self.entries.get(row.key) is not entry:
            return
        if found is None or not found.message:
            error = AttemptFailure("its text could not be read", "busy", passes=True)
            self._on_failure(entry, error if begin else in_doubt(error.text))
            return
        self._rows.restore_content(entry, found)
        if not self._call(entry, begin=begin):
            self.poll()

    def _attempt(self, entry: Entry, incarnation: int, now: int) -> None:
        row = entry.row
        first = row.first_attempt or now
        number = row.attempts + 1
        entry.storing = True

        def on_stored(outcome: Outcome) -> None:
            entry.storing = False
            self._call(entry, begin=True)

        self._store(entry, Attempt(self.key, row.key, number, incarnation, now, first), on_stored)

    def _call(self, entry: Entry, *, begin: bool) -> bool:
        """Call the worker for an attempt if it is still running; return whether it was called."""
        row = entry.row
        if self._closed or entry.calling or self.entries.get(row.key) is not entry:
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
                self._lineup.pause(record.next)
            self._store(entry, record)
            self._lineup.postpone(row.key, record.next)
            self._rows.drop_content(entry)
        else:
            self._finish(entry, record)

    def _finish(self, entry: Entry, record: Delivered | GivenUp) -> None:
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

    def _set_timer(self, at: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None and self.entries:
            after = max(at - self._rows.now(), 1) / 1000
            self._timer = self._loop.call_later(after, self.start_due)

"""Keeps the messages that one account is to send, and decides when each is tried or given up.

The attempts themselves are in ``attempts``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from ipc.epoch import now_ms
from ipc.errors import PeerGone, RemoteError
from ipc.frames.data import SendProgress
from ipc.frames.words import UNAVAILABLE
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.outgoing import (
    Attempt,
    GivenUp,
    Known,
    OutgoingMessage,
    OutgoingRow,
    Released,
    changed_message,
)
from runtime.gateway.journal.records import Outcome
from runtime.gateway.outbox.account_rows import AccountRows
from runtime.gateway.outbox.attempts import AccountAttempts
from runtime.gateway.outbox.entries import OutboxLinks, fail, resolve
from runtime.gateway.outbox.row_times import loaded

FAULT_MS = 1_000  # until it is tried again to begin, while the journal stores nothing


class AccountOutbox:
    """The outbox of one account. ``entries`` are its open rows by key, once ``loaded``."""

    def __init__(self, key: str, links: OutboxLinks) -> None:
        self.key = key
        self.loaded = False
        self._rows = AccountRows(links.capacity)
        self.entries, self._lineup = self._rows.entries, self._rows.lineup
        self._links = links
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._loading: asyncio.Future[None] | None = None
        self._attempts = AccountAttempts(key, links, self._rows, self.start_due)

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
        accepts = peer is not None and not self._attempts.closed
        at_once = accepts and self._lineup.may_begin(row.chat, now)
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
                self._attempts.call(entry, begin=True)
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
            self._attempts.finish(entry, GivenUp(self.key, key, "expired", "", reason, at=now_ms()))

    def give_up(self, chats: Collection[str]) -> tuple[int, int]:
        """Give up waiting messages for some chats; return their number and those in progress."""
        entries = [each for each in self.entries.values() if each.row.chat in chats]
        waiting = [each for each in entries if each.row.state == "queued" and not each.storing]
        for each in waiting:
            reason = "its chat was erased"
            record = GivenUp(self.key, each.row.key, "failed", "", reason, at=now_ms())
            self._attempts.finish(each, record)
        return len(waiting), len(entries) - len(waiting)

    def poll(self) -> None:
        """Ask about unresolved attempts, and begin those that are due."""
        self._attempts.poll()

    def on_progress(self, frame: SendProgress) -> None:
        """Store the worker's progress with a message of several parts."""
        self._attempts.on_progress(frame)

    def start_due(self) -> None:
        """Give up messages that have waited too long, and begin attempts that are due."""
        journal, now = self._links.journal(), self._rows.now()
        if self._attempts.closed or not self.loaded or journal is None:
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
            record = GivenUp(self.key, key, "expired", row.reason, error, letter, now)
            self._attempts.finish(entry, record)
        peer = self._links.peers.by_key.get(self.key)
        if peer is not None:
            for key in self._lineup.begin_due(now):
                self._attempts.begin(self.entries[key], peer.incarnation, now)
        self._set_timer(self._lineup.next_due(beginning=peer is not None))

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
                self._attempts.finish(
                    entry, GivenUp(self.key, row.key, "expired", row.reason, error, at=now)
                )
            else:
                gone = PeerGone("the gateway", maybe_executed=True)
                fail([*entry.taken, *entry.ended], gone)
        self._stop()
        self._rows.room.set()

    def _stop(self) -> None:
        self._attempts.close()
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, at: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None and self.entries:
            after = max(at - self._rows.now(), 1) / 1000
            self._timer = self._loop.call_later(after, self.start_due)

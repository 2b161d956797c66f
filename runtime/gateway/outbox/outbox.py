"""Holds the outboxes of all journaled accounts, and accepts messages for them.

A message that is accepted is in the journal before anything goes out, and its key is known for
seven days, over restarts of everything. Of an account without a journal only the answers of agents
are kept here: what clients send goes to the worker directly, which alone remembers their keys, for
300 s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.data import MAX_PAYLOAD_BYTES, SendProgress
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, Phase
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.accounts.peers import Peer, Peers
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.outgoing import (
    Origin,
    OutgoingMessage,
    OutgoingRow,
    Queued,
    Released,
)
from runtime.gateway.journal.records import Outcome
from runtime.gateway.journal.waiting import unstored
from runtime.gateway.outbox.account import AccountOutbox
from runtime.gateway.outbox.attachments import files_of, protect, stored_files
from runtime.gateway.outbox.capacity import OutboxCapacity
from runtime.gateway.outbox.entries import AskAccount, OutboxLinks, wait_for_row
from runtime.gateway.outbox.outcomes import REASONS, SendPolicy
from runtime.gateway.outbox.results import digest_of, outgoing_of, require_same
from workers.messages import Outbound

SEND_SECONDS = 30.0  # for so long a caller's message waits for its account, unless it says else
QUEUE_SECONDS = 86400.0  # and for so long one whose caller does not wait
OPEN_SECONDS = 5.0  # for so long a call waits until a new gateway has opened its journal
MAX_MESSAGE_BYTES = MAX_PAYLOAD_BYTES // 2  # its rendered parts go along at a later attempt
RESTART_MS = 500  # after which a caller finds the next gateway
WAITED_FOR = frozenset({Phase.RUNNING, Phase.STARTING, Phase.BACKOFF})

_encode = msgspec.json.Encoder().encode

OnAnswer = Callable[[str, OutgoingRow], None]


class Outbox:
    """The outboxes, by key, of all accounts with a journal or an answering agent.

    ``is_answered(key)`` returns whether an agent answers for an account. ``attempts`` counts how
    attempts have ended, by reason. ``on_answer(key, row)`` is called when an agent's answer is
    over. ``capacity`` counts what waits. The files of messages lie in ``state_dir``.
    """

    def __init__(
        self,
        peers: Peers,
        intake: Intake,
        ask: AskAccount,
        jobs: Jobs,
        flush_soon: Callable[[], None],
        on_answer: OnAnswer,
        state_dir: Path | None = None,
        is_answered: Callable[[str], bool] = lambda key: False,
    ) -> None:
        self.attempts: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.accounts: dict[str, AccountOutbox] = {}
        self._peers = peers
        self._intake = intake
        self._rows = peers.accounts
        self._jobs = jobs
        self._on_answer = on_answer
        self._state_dir = state_dir
        self.ask = ask
        self._is_answered = is_answered
        self._draining = self._closed = False
        self._left = asyncio.Event()  # a message waits no more
        self.capacity = OutboxCapacity(self._left.set)
        self._links = OutboxLinks(
            journal=self._journal,
            peers=peers,
            ask=ask,
            jobs=jobs,
            flush_soon=flush_soon,
            policy=self.policy,
            capacity=self.capacity,
            count=self._count,
            on_end=self._on_end,
        )

    @property
    def depth(self) -> int:
        """The number of unsent messages."""
        return self.capacity.rows

    def figures(self) -> dict[str, Any]:
        """Return the number waiting, the age of the oldest, and the results of attempts.

        ``heldBytes`` of the contents are in memory. ``refused`` were not accepted for want of room.
        """
        oldest = [
            entry.row.at for each in self.accounts.values() for entry in each.entries.values()
        ]
        age = max(0, now_ms() - min(oldest)) if oldest else 0
        capacity = self.capacity
        return {
            "depth": capacity.rows,
            "bytes": capacity.size_bytes,
            "heldBytes": capacity.held_bytes,
            "refused": capacity.refused,
            "oldestMs": age,
            "attempts": dict(self.attempts),
        }

    def policy(self, key: str) -> SendPolicy:
        """Return the account's policy for messages in doubt."""
        row = self._rows.rows.get(key)
        channel = self._rows.channels.get(key.partition(":")[0])
        idempotent = 0.0 if channel is None else float(channel.can.get("idempotent", 0.0))
        return SendPolicy("ask" if row is None else row.ambiguous, idempotent)

    def answer_seconds(self, key: str) -> float:
        """Return the seconds after which an agent's answer is no longer sent."""
        row = self._rows.rows.get(key)
        return 3600.0 if row is None else row.outbox_ttl

    async def send(
        self, key: str, message: Outbound, seconds: float | None = None, *, queue: bool = False
    ) -> OutgoingRow:
        """Send a message; return its row once it is finished, or stored if ``queue``.

        It waits for its account at most ``seconds`` and is given up then. Raises ``RemoteError``
        when it cannot be accepted: then there is no row.
        """
        self._require_available(key)
        payload = _encode(message)
        if len(payload) > MAX_MESSAGE_BYTES:
            text = f"send: {len(payload)} bytes, at most {MAX_MESSAGE_BYTES} go to an account"
            raise RemoteError(INVALID_REQUEST, text)
        account, journal = await self.open(key)
        digest, now = digest_of(payload), now_ms()
        entry = account.entries.get(message.key)
        if entry is not None:
            require_same(entry.row, digest)
            return (await self._wait_for_row(account, message.key, queue=queue))[0]
        self._require_room(account, len(payload))
        origin: Origin = "queue" if queue else "send"
        wait = seconds or (QUEUE_SECONDS if queue else SEND_SECONDS)
        expires = now + round(wait * 1000)
        if files := stored_files(message):
            await self.protect_for(account, files, expires)
            if message.key in account.entries:  # it has come twice meanwhile
                return await self.send(key, message, seconds, queue=queue)
        made = outgoing_of(key, message, payload, origin, now, expires)
        self.accept(account, journal, made)
        row, known = await self._wait_for_row(account, message.key, queue=queue)
        if not known:
            return row
        require_same(row, digest)
        if row.state not in ("failed", "expired"):
            return row
        released = Released(key, row.key, now, expires, origin)
        return await self._resend(account, journal, row, released)

    async def open(self, key: str) -> tuple[AccountOutbox, Journal]:
        """Return the outbox of a journaled account, loaded with rows of an earlier gateway.

        Raises ``RemoteError`` while there is no journal to keep it in.
        """
        await self._intake.wait_until_open(OPEN_SECONDS)
        if self._intake.fault is not None:
            text = f"{key}: {unstored(self._intake.fault)}"
            raise RemoteError(UNAVAILABLE, text, retryable=True)
        journal = self._journal()
        if journal is None or self._closed or not self._keeps(key):
            text = f"{key}: the journal is not open yet"
            raise RemoteError(UNAVAILABLE, text, retryable=True)
        return await self._load(key, journal), journal

    def find_loaded(self, key: str) -> AccountOutbox | None:
        """Return the outbox of an account if it can accept an answer at once."""
        account = self.accounts.get(key)
        return account if account is not None and account.loaded else None

    async def open_for_answer(self, key: str) -> AccountOutbox | None:
        """Return the outbox for an answer; ``None`` if the account was removed."""
        journal = self._journal()
        if journal is None or self._closed or key not in self._rows.rows:
            return None
        return await self._load(key, journal)

    async def _load(self, key: str, journal: Journal) -> AccountOutbox:
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = AccountOutbox(key, self._links)
        await account.load(journal)
        return account

    async def protect_for(self, account: AccountOutbox, files: list[str], expires: int) -> None:
        """Protect files; raises ``RemoteError`` if the account has gone meanwhile."""
        await self._protect(account.key, files, expires)
        if self.accounts.get(account.key) is not account:
            text = f"{account.key} is not known, or has no journal any more"
            raise RemoteError(UNAVAILABLE, text)

    def streams(self, key: str) -> bool:
        """Return whether an account shows answers while agents write them."""
        row = self._rows.rows.get(key)
        return row is not None and row.streaming == "edits"

    def prepare_answer(
        self, account: AccountOutbox, message: Outbound, edits: str = ""
    ) -> OutgoingMessage:
        """Accept an agent's answer that replaces the preview ``edits``; return what is stored."""
        now, payload = now_ms(), _encode(message)
        expires = now + round(self.answer_seconds(account.key) * 1000)
        made = outgoing_of(account.key, message, payload, "agent", now, expires, edits)
        if files := stored_files(message):
            self._jobs.start(self._protect(account.key, files, expires))
        return made if made.row.key in account.entries else account.accept(made)

    def on_report(self, key: str) -> None:
        """Handle a report about an account: whether it runs and whether it has a journal."""
        account = self.accounts.get(key)
        if not self._keeps(key):
            if account is not None:
                del self.accounts[key]
                gone = key not in self._rows.rows
                account.forget("is not known any more" if gone else "has no journal any more")
        elif account is not None and account.loaded:
            account.poll()
        elif self._intake.ready and not self._closed:
            self._jobs.start(self._try_open(key))

    def on_welcome(self, key: str) -> None:
        """Resume sending: the account can be called."""
        self.on_report(key)

    def on_progress(self, peer: Peer, frame: SendProgress) -> None:
        """Handle a worker's progress with a message of several parts."""
        account = self.accounts.get(peer.key)
        if account is not None:
            account.on_progress(frame)

    def give_up(self, chats: Mapping[str, Collection[str]]) -> tuple[int, int]:
        """Give up waiting messages for some chats of accounts. Returns how many, and how many
        others are under way and not given up.
        """
        counts = [
            account.give_up(chats[key]) for key, account in self.accounts.items() if key in chats
        ]
        return sum(given for given, _ in counts), sum(left for _, left in counts)

    async def wait_for_room(self, account: AccountOutbox) -> None:
        """Wait until few enough messages are unsent to answer more."""
        await account.wait_for_room()
        while self.capacity.is_full and not self._closed:
            self._left.clear()
            await self._left.wait()

    def stop_accepting(self) -> None:
        """Accept no more messages because the gateway ends; accepted ones are still sent."""
        self._draining = True

    def close(self) -> None:
        """Begin no more attempts: unfinished messages are left to the next gateway."""
        self._closed = True
        self._left.set()
        for account in self.accounts.values():
            account.close()

    async def _try_open(self, key: str) -> None:
        try:
            account, _ = await self.open(key)
            account.poll()
        except RemoteError:
            pass  # it is tried again with the next report

    def accept(self, account: AccountOutbox, journal: Journal, made: OutgoingMessage) -> None:
        """Accept a message to be sent, and store it."""
        outgoing, key = account.accept(made), made.row.key

        def on_stored(outcome: Outcome) -> None:
            account.on_stored([key], outcome)

        journal.append(Queued(account.key, outgoing), on_stored)
        self._links.flush_soon()

    async def _resend(
        self, account: AccountOutbox, journal: Journal, row: OutgoingRow, record: Released
    ) -> OutgoingRow:
        """Send again a message that was certainly not sent, under its reused key."""
        found = await journal.sent_by(account.key, row.key)
        if row.key not in account.entries:
            if found is None or not found.message:
                return row
            await self.protect_for(account, files_of(found), record.expires)
        if row.key not in account.entries and found is not None:
            account.requeue(found, record)
        return (await self._wait_for_row(account, row.key, queue=record.origin == "queue"))[0]

    async def _wait_for_row(
        self, account: AccountOutbox, key: str, *, queue: bool
    ) -> tuple[OutgoingRow, bool]:
        journal = self._intake.journal
        assert journal is not None
        return await wait_for_row(account.entries[key], journal, queue=queue)

    def _require_available(self, key: str) -> None:
        """Raise ``RemoteError`` if a message for the account could not be sent. That is so when the
        gateway ends, and when the account is drained or does not start by itself.
        """
        if self._draining:
            text = f"{key}: the gateway is ending; try again"
            raise RemoteError(UNAVAILABLE, text, retryable=True, retry_after_ms=RESTART_MS)
        row = self._rows.rows.get(key)
        self._rows.require_linked(key)
        if row is not None and row.draining:
            raise RemoteError(UNAVAILABLE, f"{key} is being drained", retryable=True)
        if row is not None:
            leaving = row.phase in (Phase.STOPPED, Phase.STOPPING)
            if row.phase in WAITED_FOR or (leaving and row.wanted and row.hold is None):
                return
        raise RemoteError(UNAVAILABLE, self._peers.why_absent(key), retryable=True)

    async def _protect(self, key: str, files: list[str], expires: int) -> None:
        """Protect stored files as long as a message that needs them may be sent."""
        if files and self._state_dir is not None:
            await asyncio.to_thread(protect, self._state_dir, key, files, expires / 1000)

    def _require_room(self, account: AccountOutbox, size: int) -> None:
        refusal = self.capacity.refusal(size)
        if refusal is not None:
            raise RemoteError(UNAVAILABLE, refusal, retryable=True)
        if account.is_full:
            text = f"{account.key}: {len(account.entries)} messages are to be sent already"
            raise RemoteError(UNAVAILABLE, text, retryable=True)

    def _keeps(self, key: str) -> bool:
        return self._intake.is_on(key) or (key in self._rows.rows and self._is_answered(key))

    def _journal(self) -> Journal | None:
        return self._intake.journal if self._intake.ready else None

    def _count(self, reason: str) -> None:
        self.attempts[reason] += 1

    def _on_end(self, key: str, row: OutgoingRow) -> None:
        if row.origin == "agent":
            self._on_answer(key, row)

"""Stores what workers of journaled accounts send, and hands it on afterwards.

For such an account nothing leaves the gateway before it is in the journal: no event, no
acknowledgement, no end of an incarnation. What does not find room is not taken: its worker keeps
it and sends it again when there is room.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection
from typing import NamedTuple

from ipc import timeouts
from ipc.epoch import now_ms
from ipc.frames.data import AccountIdentity, Ack, Mark, Messages
from runtime.gateway.accounts.handover import Handover
from runtime.gateway.accounts.payload_check import ValidPart
from runtime.gateway.accounts.peers import Peer, Peers
from runtime.gateway.journal.interface import Journal, Keep
from runtime.gateway.journal.records import (
    Arrived,
    Identified,
    Kept,
    Left,
    Marked,
    Outcome,
    Part,
    Place,
    Record,
)

MAX_WAITING_BYTES = 8 * 1024 * 1024  # of what is taken and not stored, over all accounts
ROOM_BYTES = MAX_WAITING_BYTES // 2  # below this, workers that were refused may send again

OnStored = Callable[[str, int, int, Part], None]
OpenJournal = Callable[[Callable[[], None]], Journal]


class _Later(NamedTuple):
    """An action to run once ``number`` records are stored; ``hasty``: at once if nothing can be."""

    number: int
    action: Callable[[], None]
    hasty: bool


class Intake:
    """The journaled accounts of a gateway.

    ``open_journal(on_change)`` opens the journal when the first account, or agent, needs it.
    ``on_stored(key, incarnation, at, part)`` is called with what was stored and handed on,
    ``on_left(key)`` when an account has no journal any more. ``repeated`` counts by key the
    messages that a platform had sent before.

    Until ``attach``, the data link is not called: ``acknowledge(peer)`` makes it acknowledge what
    ``Peer.done`` and ``Peer.mark`` hold, ``invite(peer)`` asks a peer to begin again, and
    ``changed()`` is called when the journal has become ready, or its fault has changed.
    """

    def __init__(
        self,
        peers: Peers,
        handover: Handover,
        open_journal: OpenJournal,
        on_stored: OnStored,
        on_left: Callable[[str], None],
    ) -> None:
        self.journal: Journal | None = None
        self.repeated: Counter[str] = Counter()
        self._peers = peers
        self._rows = peers.accounts.rows
        self._handover = handover
        self._open_journal = open_journal
        self._on_stored = on_stored
        self._on_left = on_left
        self._on: set[str] = set()
        self._held: set[Peer] = set()
        self._halted = False  # workers know that nothing can be stored
        self._appended: Counter[str] = Counter()
        self._stored: Counter[str] = Counter()
        self._in_order: defaultdict[str, deque[_Later]] = defaultdict(deque)
        self._opened = asyncio.Event()
        self._on_ready: list[Callable[[], None]] = []
        self._keep = Keep()
        self._acknowledge: Callable[[Peer], None] = lambda peer: None
        self._invite: Callable[[Peer], None] = lambda peer: None
        self._changed: Callable[[], None] = lambda: None

    def attach(
        self,
        acknowledge: Callable[[Peer], None],
        invite: Callable[[Peer], None],
        changed: Callable[[], None],
    ) -> None:
        """Set the callbacks of the data link."""
        self._acknowledge, self._invite, self._changed = acknowledge, invite, changed

    def follow(self, on_ready: Callable[[], None]) -> None:
        """Call ``on_ready()`` when the journal can be read, before anything is stored in it."""
        self._on_ready.append(on_ready)

    @property
    def fault(self) -> str | None:
        """The reason why nothing can be stored at the moment, or ``None``."""
        return None if self.journal is None else self.journal.fault

    @property
    def ready(self) -> bool:
        """Whether journaled accounts may be welcomed."""
        return self.journal is not None and self.journal.ready

    @property
    def is_unread(self) -> bool:
        """Whether there is a journal that could not be read yet: its file may hold anything."""
        return self.journal is not None and not self.journal.ready

    async def wait_until_open(self, seconds: float) -> None:
        """Wait at most ``seconds`` until the journal can be read, if there is one.

        One that cannot be opened now, because the disk is full say, is not waited for.
        """
        if self.journal is not None and not self.journal.ready and self.fault is None:
            with contextlib.suppress(TimeoutError):
                async with timeouts.timeout(seconds):
                    await self._opened.wait()

    def is_on(self, key: str) -> bool:
        """Return whether the account has a journal."""
        return key in self._on

    def ack(self, peer: Peer) -> Ack:
        """Return the acknowledgement for a peer, with whether storing is halted."""
        return Ack(peer.done, peer.mark, self.fault is not None and peer.key in self._on)

    def place(self, key: str) -> Place | None:
        """Return the stored position of a journaled account, or ``None``."""
        return self.journal.place(key) if self.journal is not None and key in self._on else None

    def is_stored(self, key: str) -> bool:
        """Return whether the journal has what an account sent. It has that of an account that was
        removed from the configuration, and not of one that continues without the journal.
        """
        return key in self._on or key not in self._rows

    def stored_place(self, key: str) -> Place | None:
        """Return the stored position of an account for which ``is_stored`` is true, or ``None``."""
        return self.journal.place(key) if self.journal is not None and self.is_stored(key) else None

    def stored_accounts(self) -> Collection[str]:
        """Return the keys of all accounts in the journal, configured or not."""
        return () if self.journal is None else self.journal.accounts()

    def set_keep(self, keep: Keep) -> None:
        """Set how long and how much the journal keeps."""
        self._keep = keep
        if self.journal is not None:
            self.journal.set_keep(keep)

    def open(self) -> None:
        """Open the journal, unless it is open already."""
        if self.journal is None:
            self.journal = self._open_journal(self._on_change)
            self.journal.set_keep(self._keep)

    def configure(self, key: str) -> None:
        """Apply the row of an account: whether it has a journal, or was removed."""
        row = self._rows.get(key)
        on = row is not None and row.journal == "on"
        if on and key not in self._on:
            self.open()
            self._on.add(key)
            if any(peer.welcome for peer in self._peers.of_account(key)):
                self._append(key, Left(key), None)  # it may have had messages without the journal
        elif not on and key in self._on:
            self._on.discard(key)
            self._on_left(key)
            if row is not None:
                self._append(key, Left(key), None)
        if row is None:
            self.repeated.pop(key, None)
            self._forget_counts(key)

    def store(self, peer: Peer, parts: list[ValidPart], pack: Messages) -> bool:
        """Store the valid ``parts`` of a pack; return false if there is no room."""
        journal = self.journal
        assert journal is not None
        if journal.waiting_bytes > MAX_WAITING_BYTES:
            peer.held = True
            self._held.add(peer)
            return False
        peer.seen = pack.last
        now = now_ms()
        for each, ids in parts:
            record = Arrived(
                peer.key,
                peer.incarnation,
                each.first,
                each.flags,
                each.payloads,
                ids,
                each.cursor,
                now,
            )
            self._append(peer.key, record, peer)
        if not parts or parts[-1].pack.last != pack.last:  # what ended it was not valid
            if pack.cursor:
                self._append(peer.key, Marked(peer.key, pack.cursor), None)
            self._run_in_order(peer.key, lambda: self._on_messages_stored(peer, pack.last))
        return True

    def store_mark(self, peer: Peer, mark: Mark) -> None:
        """Store a position without a message, after the messages before it."""
        if mark.after > peer.seen:
            return  # it comes again, after the messages that are missing
        self._append(peer.key, Marked(peer.key, mark.cursor), None)
        self._run_in_order(peer.key, lambda: self._on_mark_stored(peer, mark.id))

    def store_identity(self, peer: Peer, identity: AccountIdentity) -> None:
        """Store the account's identity if it has changed."""
        place = self.place(peer.key)
        if place is None or place.identity != identity.id or self._is_waiting(peer.key):
            self._append(peer.key, Identified(peer.key, identity.id), None)

    def run_in_order(self, key: str, action: Callable[[], None]) -> None:
        """Run an action once everything is stored that came from an account before.

        While nothing can be stored, it is done at once: an end must not wait for ever.
        """
        if self.fault is not None:
            action()
        else:
            self._run_in_order(key, action, hasty=True)

    def run_once_stored(self, key: str, action: Callable[[], None]) -> None:
        """Run an action once everything is stored that came from an account before.

        However long that takes; not at all if the account is removed meanwhile.
        """
        self._run_in_order(key, lambda: action() if key in self._rows else None)

    def forget(self, peer: Peer) -> None:
        """Drop a peer whose incarnation has ended."""
        self._held.discard(peer)

    def flush(self) -> None:
        """Begin to store the records of this turn of the event loop."""
        if self.journal is not None:
            self.journal.flush()

    async def close(self) -> None:
        """Store pending records if possible, and close the journal."""
        self._acknowledge = self._invite = lambda peer: None
        self._changed = lambda: None
        if self.journal is not None:
            await self.journal.close()

    def _is_waiting(self, key: str) -> bool:
        return self._appended[key] != self._stored[key]

    def _forget_counts(self, key: str) -> None:
        """Drop the counts of a removed account once all that it sent is stored and handled."""
        if not self._is_waiting(key) and key not in self._in_order:
            self._appended.pop(key, None)
            self._stored.pop(key, None)

    def _run_in_order(self, key: str, action: Callable[[], None], *, hasty: bool = False) -> None:
        if self._is_waiting(key):
            self._in_order[key].append(_Later(self._appended[key], action, hasty))
        else:
            action()

    def _append(self, key: str, record: Record, peer: Peer | None) -> None:
        assert self.journal is not None
        self._appended[key] += 1
        self.journal.append(record, lambda kept: self._on_done(key, record, peer, kept))

    def _on_done(self, key: str, record: Record, peer: Peer | None, kept: Outcome) -> None:
        self._stored[key] += 1
        if isinstance(record, Arrived) and isinstance(kept, Kept) and key in self._rows:
            for part in kept.parts:
                self._handover.publish(
                    key, record.incarnation, part.first, part.flags, part.payloads
                )
                self._on_stored(key, record.incarnation, record.at, part)
            if kept.repeated:
                self.repeated[key] += kept.repeated
            if peer is not None:
                self._on_messages_stored(peer, record.first + len(record.payloads) - 1)
        waiting = self._in_order.get(key)
        while waiting and waiting[0].number <= self._stored[key]:
            waiting.popleft().action()
        if not waiting:
            self._in_order.pop(key, None)
        if key not in self._rows:
            self._forget_counts(key)
        self._invite_held()

    def _on_messages_stored(self, peer: Peer, seq: int) -> None:
        peer.done = max(peer.done, seq)
        self._acknowledge(peer)

    def _on_mark_stored(self, peer: Peer, mark: int) -> None:
        peer.mark = max(peer.mark, mark)
        self._acknowledge(peer)

    def _invite_held(self) -> None:
        """Invite refused peers to send again, once there is room."""
        if self._held and self.journal is not None and self.journal.waiting_bytes < ROOM_BYTES:
            held, self._held = self._held, set()
            for peer in held:
                peer.held = False
                self._invite(peer)

    def _on_change(self) -> None:
        if self.ready:
            first = not self._opened.is_set()
            self._opened.set()
            for on_ready in self._on_ready if first else ():
                on_ready()
        elif self.fault is not None:
            self._opened.set()  # waiting callers continue without it
            self._opened.clear()
        if self.fault is not None:
            for key, waiting in list(self._in_order.items()):
                self._in_order[key] = deque(each for each in waiting if not each.hasty)
                for each in waiting:
                    if each.hasty:
                        each.action()
        halted, self._halted = self._halted, self.fault is not None
        if halted != self._halted:
            for peer in self._peers.by_id.values():  # one that ends now waits, or does not
                if peer.key in self._on:
                    self._acknowledge(peer)
        self._changed()

"""Holds the unsent rows of one account, and counts their size."""

from __future__ import annotations

import asyncio

from ipc.epoch import SetClock
from runtime.gateway.journal.outgoing import OutgoingMessage
from runtime.gateway.outbox.capacity import OutboxCapacity
from runtime.gateway.outbox.entries import Entry
from runtime.gateway.outbox.lineup import Lineup

MAX_ROWS = 10_000  # of one account; each waits in memory too
ANSWERED_ROWS = 1_000  # with more, nothing more is answered for the account


class AccountRows:
    """The open rows of an account: ``entries`` by key, ``lineup`` their order.

    ``room`` is clear while too many messages are unsent to answer more.
    """

    def __init__(self, capacity: OutboxCapacity) -> None:
        self.entries: dict[str, Entry] = {}
        self.lineup = Lineup()
        self.room = asyncio.Event()
        self.room.set()
        self._capacity = capacity
        self._clock = SetClock()

    def now(self) -> int:
        """Return the host's time; where that was set, the rows are moved along first."""
        now, step = self._clock.read()
        if step:
            self.lineup.move(step)
            for entry in self.entries.values():
                entry.move(step)
        return now

    @property
    def is_full(self) -> bool:
        """Whether no more messages are accepted for the account."""
        return len(self.entries) >= MAX_ROWS

    def add(
        self, outgoing: OutgoingMessage, *, stored: bool, under_way: bool, size: int = 0
    ) -> None:
        """Add a row; with ``under_way`` its first attempt has already begun."""
        self.now()  # so that the new row is not moved by an earlier change of the clock
        row = outgoing.row
        entry = self.entries[row.key] = Entry(outgoing, storing=not stored, size=size)
        self._capacity.add(entry.size, held=entry.held)
        self.lineup.add(
            row.key, row.chat, row.expires, next=row.next, stored=stored, under_way=under_way
        )
        if len(self.entries) >= ANSWERED_ROWS:
            self.room.clear()

    def remove(self, key: str) -> None:
        """Remove a finished row."""
        entry = self.entries.pop(key)
        self._capacity.remove(entry.size, held=entry.held)
        self.lineup.remove(key)
        if len(self.entries) < ANSWERED_ROWS:
            self.room.set()

    def drop_content(self, entry: Entry) -> None:
        """Drop the content of a message from memory if too many wait; the journal has it."""
        if entry.held and self._capacity.is_crowded:
            self._capacity.held_bytes -= entry.size
            entry.drop()

    def restore_content(self, entry: Entry, found: OutgoingMessage) -> None:
        """Restore the content of a message in memory, read from the journal."""
        if not entry.held:
            entry.outgoing = OutgoingMessage(entry.row, found.message, found.texts)
            entry.held = True
            self._capacity.held_bytes += entry.size

    def clear(self) -> None:
        """Remove all rows."""
        for entry in self.entries.values():
            self._capacity.remove(entry.size, held=entry.held)
        self.entries.clear()
        self.room.set()

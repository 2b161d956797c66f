"""Defines the interface of journals, so that another implementation can be used.

All of it is called on the event loop, and nothing of it blocks. An implementation keeps what
``runtime.gateway.journal.records`` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import msgspec

from ipc.frames.cursors import Cursor
from runtime.gateway.journal.conversations import (
    FoundEntry,
    Session,
    SessionFilter,
    TranscriptEntry,
)
from runtime.gateway.journal.erasing import Forgotten, RemoveFiles, keep_files
from runtime.gateway.journal.items import KeptItem
from runtime.gateway.journal.outgoing import OpenRow, OutgoingMessage, OutgoingRow
from runtime.gateway.journal.people import Person
from runtime.gateway.journal.records import Outcome, Part, Place, Record
from runtime.gateway.journal.runs import Run

FILE, COPIES = "journal.db", "backup"  # the file and the directory of its copies, in the state's
PAGE_BYTES = 512 * 1024  # of payloads that one read returns, about

Done = Callable[[Outcome], None]


class FramePage(msgspec.Struct, frozen=True):
    """Some frames of one account in order: incarnation, time of arrival (epoch ms), and part.

    ``more``: others follow. ``complete``: nothing between the asked cursor and them is missing.
    """

    parts: list[tuple[int, int, Part]]
    more: bool
    complete: bool


class Keep(msgspec.Struct, frozen=True):
    """How long messages are kept, how large the journal may become, how many copies there are."""

    seconds: float = 30 * 86400.0
    size_bytes: int = 2 << 30
    copies: int = 3


class Journal(Protocol):
    """The durable store of messages, sends, runs and sessions.

    ``ready`` is true once it can be used. ``fault`` is the reason why it cannot store anything at
    the moment, ``None`` while it can: what has been appended waits meanwhile, ``waiting_bytes`` of
    it. ``commits`` counts writes. ``repaired`` says what became of a damaged journal, ``lost``
    names the accounts whose position was lost with it.
    """

    ready: bool
    fault: str | None
    repaired: str | None
    lost: set[str]
    waiting_bytes: int
    commits: int

    def place(self, key: str) -> Place | None:
        """Return the stored position of an account."""

    def accounts(self) -> Collection[str]:
        """Return the keys of all channel accounts that it holds, configured or not."""

    def keys(self) -> Collection[str]:
        """Return the keys of all accounts and agents with records."""

    def append(self, record: Record, done: Done | None = None) -> None:
        """Queue a record; ``done`` is called once it is stored, in order per account."""

    def flush(self) -> None:
        """Begin to store the records appended in this loop iteration."""

    async def after(self, key: str, cursor: Cursor, limit_bytes: int = PAGE_BYTES) -> FramePage:
        """Return the first stored frames of an account after ``cursor``."""

    async def outgoing(self, key: str) -> list[OpenRow]:
        """Return the unsent messages of an account, oldest first, without contents."""

    async def letters(self, limit: int) -> list[tuple[str, OutgoingRow]]:
        """Return dead letters with the keys of their accounts, oldest first."""

    async def letter(self, id: str) -> tuple[str, OutgoingMessage] | None:
        """Return a dead letter by its id, with the key of its account."""

    async def sent_by(self, key: str, row: str) -> OutgoingMessage | None:
        """Return an account's outgoing message with the key ``row``."""

    async def beginnings(
        self, rows: Collection[tuple[str, str]], characters: int
    ) -> dict[tuple[str, str], str]:
        """Return the first characters of messages, by account and key of their row.

        It has none of messages whose texts are not kept.
        """

    async def people(self, key: str) -> list[Person]:
        """Return the records of people who asked to be admitted to an account."""

    async def items(self, kind: str) -> list[KeptItem]:
        """Return the documents of a kind by their ids."""

    async def open_runs(self, key: str) -> list[Run]:
        """Return the runs of an account that have not ended, in the order of their records."""

    async def run_of(self, id: str) -> Run | None:
        """Return the newest run with an id, whatever account it is of."""

    async def session(self, key: str) -> Session | None:
        """Return the session under a key."""

    async def sessions(
        self, which: SessionFilter, limit: int, offset: int = 0
    ) -> tuple[list[Session], int]:
        """Return sessions, those that changed last first, and how many there are in all."""

    async def entries(
        self, session: str, limit: int, *, after: int | None = None, before: int | None = None
    ) -> list[TranscriptEntry]:
        """Return entries of a session's transcript in their order.

        They are the first ones after the number ``after``, or else the last ones before
        ``before``, or the last ones of all.
        """

    async def search(self, text: str, limit: int) -> list[FoundEntry]:
        """Return the newest entries that have, for each word of a text, one that begins with it.

        Case and accents do not matter. The first search after a while takes longer.
        """

    async def chats_of(self, sender: str, keys: Collection[str]) -> dict[str, set[str]]:
        """Return the direct chats with a person in each account, as far as frames show them."""

    async def erase(
        self, sender: str, chats: Mapping[str, Collection[str]], remove: RemoveFiles = keep_files
    ) -> Forgotten:
        """Erase a person from the accounts in ``chats``, which has the direct chats of each.

        ``remove(files)`` removes the stored files, on any thread, before it is forgotten which
        they are: after a kill they are found again.
        """

    def set_keep(self, keep: Keep) -> None:
        """Set how long and how much is kept."""

    async def close(self) -> None:
        """Store what has been appended if that is possible, and end."""

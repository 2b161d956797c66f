"""Keeps the messages that were given up, until a person retries or discards them."""

from __future__ import annotations

from collections.abc import Callable

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.outgoing import Discarded, OutgoingMessage, OutgoingRow, Released
from runtime.gateway.journal.waiting import store_record
from runtime.gateway.outbox.attachments import files_of
from runtime.gateway.outbox.entries import wait_for_row
from runtime.gateway.outbox.outbox import OPEN_SECONDS, QUEUE_SECONDS, Outbox

MAX_LETTERS = 10_000


class DeadLetters:
    """The dead letters of all accounts, which are in the journal alone."""

    def __init__(self, outbox: Outbox, intake: Intake, flush_soon: Callable[[], None]) -> None:
        self._outbox = outbox
        self._intake = intake
        self._flush_soon = flush_soon

    async def oldest(self, limit: int = MAX_LETTERS) -> list[tuple[str, OutgoingRow]]:
        """Return the dead letters with the keys of their accounts, oldest first."""
        journal = await self._opened_journal()
        return [] if journal is None else await journal.letters(limit)

    async def require(self, id: str) -> tuple[str, OutgoingMessage]:
        """Return a dead letter and the key of its account; raises ``RemoteError`` for none."""
        journal = await self._opened_journal()
        found = None if journal is None else await journal.letter(id)
        if found is None:
            text = f"no dead letter {id}; `deadletters list` shows them"
            raise RemoteError(INVALID_REQUEST, text)
        return found

    async def retry(self, id: str) -> tuple[str, OutgoingRow]:
        """Retry a dead letter for a day; return its account and row once that is stored."""
        key, found = await self.require(id)
        if not self._intake.is_on(key):
            raise RemoteError(UNAVAILABLE, f"{key} has no journal, or is not known any more")
        account, journal = await self._outbox.open(key)
        if found.row.key not in account.entries:
            now = now_ms()
            expires = now + round(QUEUE_SECONDS * 1000)
            await self._outbox.protect_for(account, files_of(found), expires)
        if found.row.key not in account.entries:
            account.requeue(found, Released(key, found.row.key, now, expires, "queue"))
        return key, (await wait_for_row(account.entries[found.row.key], journal, queue=True))[0]

    async def discard(self, id: str) -> tuple[str, OutgoingRow]:
        """Discard a dead letter; return its account and row once that is stored."""
        key, found = await self.require(id)
        journal = self._intake.journal
        assert journal is not None
        await store_record(journal, Discarded(key, found.row.key), self._flush_soon)
        return key, found.row

    async def _opened_journal(self) -> Journal | None:
        """Return the journal, which a new gateway opens first; ``None`` without one."""
        await self._intake.wait_until_open(OPEN_SECONDS)
        return self._intake.journal if self._intake.ready else None

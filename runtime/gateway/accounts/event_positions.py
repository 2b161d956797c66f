"""Finds the newest cursor of each account, after which a subscription begins.

A client that has this cursor can request what came after it, even if it has had no event of the
account yet. For accounts with a journal the cursor comes from there, for others from their rings,
and for an account without messages since this gateway began from its row.
"""

from __future__ import annotations

from collections.abc import Iterable

from ipc.frames.cursors import BEGINNING, Cursor
from ipc.frames.words import Phase
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.accounts.rows import TALKING, Accounts


class EventPositions:
    """The newest cursors of all accounts, as far as this gateway knows them."""

    def __init__(self, accounts: Accounts, rings: Rings, intake: Intake) -> None:
        self._rows = accounts.rows
        self._rings = rings
        self._intake = intake

    @property
    def complete(self) -> bool:
        """True when every account with messages in the journal is known."""
        return self._intake.ready

    def keys(self) -> Iterable[str]:
        """Return the keys of configured accounts and of accounts with stored messages."""
        return dict.fromkeys([*self._rows, *self._intake.stored_accounts()])

    def of(self, key: str) -> Cursor | None:
        """Return the cursor of the newest message of an account that was handed on.

        ``None``: it is not known, because the account runs and has not said so far, or the
        journal is not open.
        """
        newest = self._rings.newest(key)
        if self._intake.is_stored(key):
            return self._of_stored(key, newest)
        if newest is not None:
            return newest
        row = self._rows[key]
        if row.phase in TALKING:
            return None
        return row.incarnation + (row.phase != Phase.STARTING), 0

    def is_beyond(self, key: str, cursor: Cursor) -> bool:
        """Return whether a cursor is newer than everything stored. Then the journal was replaced by
        an older copy.
        """
        place = self._intake.stored_place(key)
        if place is None or place.floor is None or not place.whole:
            return False
        return cursor > place.newest

    def _of_stored(self, key: str, newest: Cursor | None) -> Cursor | None:
        if self._intake.journal is not None and not self._intake.ready:
            return None
        place = self._intake.stored_place(key)
        stored = BEGINNING if place is None else place.newest
        if place is not None and place.floor is not None and place.whole:
            return stored
        # Without the journal it may have sent more; an incarnation that has not, may have no end.
        return max(stored, newest) if newest is not None and newest[1] else stored

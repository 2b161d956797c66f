"""Holds the state that the journals have in common: their positions, and what they report."""

from __future__ import annotations

from collections.abc import Collection

from ipc.frames.words import is_agent
from runtime.gateway.journal.records import Place


class JournalBase:
    """The part of ``Journal`` that is the same whatever keeps the records."""

    def __init__(self) -> None:
        self.ready = False
        self.fault: str | None = None
        self.repaired: str | None = None
        self.lost: set[str] = set()
        self.waiting_bytes = 0
        self.commits = 0
        self._places: dict[str, Place] = {}

    def place(self, key: str) -> Place | None:
        """Return the stored position of an account."""
        return self._places.get(key)

    def accounts(self) -> Collection[str]:
        """Return the keys of all channel accounts that it holds, configured or not."""
        return [key for key in self._places if not is_agent(key)]

    def keys(self) -> Collection[str]:
        """Return the keys of all accounts and agents with records."""
        return self._places.keys()

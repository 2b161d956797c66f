"""Decides how long the journal keeps overheard messages. Pure.

A message of a group that does not name the account is context for the next run, as long as it is
among the last ones. Then its text goes from the journal, too: with the account's next record, or
when ``MANY`` have come together, because to rewrite each one by itself would double the commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ipc.frames.cursors import Cursor

KEPT_MS = 3_600_000  # also among the last ones: a new gateway reads again what is younger
MANY = 32


class FramePosition(NamedTuple):
    """Where a message is in the journal: the account's key and the cursor."""

    key: str
    cursor: Cursor


class Overheard(NamedTuple):
    """A message that was overheard: its cursor, its time of arrival (epoch ms), and its files."""

    cursor: Cursor
    at: int
    files: Sequence[str] = ()


class OverheardFrames:
    """The overheard messages of all accounts whose text is in the journal."""

    def __init__(self) -> None:
        # By account; looked up without a default, which would stay of one that is no more.
        self._kept: dict[str, dict[Cursor, Overheard]] = {}
        self._due: dict[str, list[Overheard]] = {}

    def add(self, key: str, heard: Overheard) -> None:
        """Add a message of an account; it is kept until it is released or too old."""
        self._kept.setdefault(key, {})[heard.cursor] = heard

    def release(self, frames: Iterable[FramePosition]) -> None:
        """Mark messages as no longer needed; unknown ones are ignored."""
        for key, cursor in frames:
            found = self._kept.get(key, {}).pop(cursor, None)
            if found is not None:
                self._due.setdefault(key, []).append(found)

    def are_many_due(self, key: str) -> bool:
        """Return whether enough texts of an account are due for removal to justify a record."""
        return len(self._due.get(key, ())) >= MANY

    def pop_due(self, key: str, now: int) -> list[Overheard]:
        """Remove and return the messages of an account whose text is to be removed now."""
        kept = self._kept.get(key, {})
        self.release(
            [FramePosition(key, each.cursor) for each in kept.values() if each.at < now - KEPT_MS]
        )
        return self._due.pop(key, [])

    def released_cursor(self, key: str, read: Cursor) -> Cursor:
        """Return the cursor up to which no message of an account is kept, at most ``read``."""
        waiting = [*self._kept.get(key, ()), *(each.cursor for each in self._due.get(key, ()))]
        if not waiting:
            return read
        incarnation, number = min(waiting)
        return min(read, (incarnation, number - 1))

    def forget(self, key: str) -> None:
        """Drop a removed account."""
        self._kept.pop(key, None)
        self._due.pop(key, None)

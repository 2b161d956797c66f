"""Joins the frames of an account in one commit into few rows. Pure.

A worker sends what each turn of its loop has brought, so under load one commit has many small packs
of an account. Each row costs entries in two indexes and a step through all triggers: four packs of
two messages cost twice as much as one of eight.
"""

from __future__ import annotations

from runtime.gateway.journal.records import Part

ROW_FRAMES = 64  # as a worker's pack: what is looked up, rewritten or forgotten at once
ROW_BYTES = 64 * 1024
ROW_IDS = 64
ROW_MS = 100  # a row has the time of its first frame


class JoinedFrames:
    """Frames of one incarnation in a row that become one row of the journal, from ``part`` on."""

    def __init__(self, incarnation: int, at: int, part: Part) -> None:
        self.incarnation = incarnation
        self.at = at
        self.first, self.last = part.first, part.last
        self._parts = [part]
        self._bytes = sum(map(len, part.payloads))

    def add(self, incarnation: int, at: int, part: Part) -> bool:
        """Add the next frames; return false if they need a row of their own."""
        size = self._bytes + sum(map(len, part.payloads))
        if (
            incarnation != self.incarnation
            or part.first != self.last + 1
            or part.last - self.first >= ROW_FRAMES
            or size > ROW_BYTES
            or not 0 <= at - self.at <= ROW_MS
        ):
            return False
        self._parts.append(part)
        self.last, self._bytes = part.last, size
        return True

    def contents(self) -> tuple[bytes, list[bytes]]:
        """Return the flags and the payloads."""
        parts = self._parts
        if len(parts) == 1:
            return parts[0].flags, parts[0].payloads
        flags = b"".join(part.flags for part in parts)
        return flags, [payload for part in parts for payload in part.payloads]


class JoinedIds:
    """Ids of an account that become one row, from some on."""

    def __init__(self, at: int, ids: list[str]) -> None:
        self.at = at
        self.ids = list(ids)
        self._size = sum(map(len, ids))

    def add(self, at: int, ids: list[str]) -> bool:
        """Add further ids; return false if they need a row of their own."""
        size = self._size + sum(map(len, ids))
        if (
            len(self.ids) + len(ids) > ROW_IDS
            or size > ROW_BYTES
            or not 0 <= at - self.at <= ROW_MS
        ):
            return False
        self.ids += ids
        self._size = size
        return True

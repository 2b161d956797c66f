"""Bounds what all clients of a process together have not read: WebSocket, HTTP, streams. Pure.

A client that does not read is not waited for: what is sent to it waits in memory. Each has a bound
of its own; this is the one of all. Beyond it the client that has kept most for longest is cut off.
What waits is summed up only when it may exceed the bound, never for each message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

ROOM = 8  # cutting clients off frees at least 1/8 of the bound
GRACE_SECONDS = 0.25  # added to the time for which a client has been behind


class SlowReader(Protocol):
    """A connection whose client may be behind."""

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait in this process for the client to read."""

    def cut_off(self) -> None:
        """Close the connection and drop its output, after ``UnreadOutput.on_cut_off``."""


class UnreadOutput:
    """The connections of a process whose clients are behind, and the bound of what they may hold.

    ``slow`` counts the clients that were closed because they did not read. ``on_close(size)`` is
    called with the bytes that waited for each.
    """

    def __init__(
        self,
        most: int,
        clock: Callable[[], float],
        on_close: Callable[[int], None] = lambda size: None,
    ) -> None:
        self.slow = 0
        self._most = most
        self._clock = clock
        self._on_close = on_close
        self._since: dict[SlowReader, float] = {}
        self._highest = 0  # what waits is never more: the last sum, and all that was added since

    def __contains__(self, reader: SlowReader) -> bool:
        return reader in self._since

    @property
    def size_bytes(self) -> int:
        """How many bytes wait for the clients that are behind."""
        return sum(reader.buffered_bytes for reader in self._since)

    def on_behind(self, reader: SlowReader) -> None:
        """Count what a client has not read, from now on."""
        if reader not in self._since:
            self._since[reader] = self._clock()
            self.on_growth(reader.buffered_bytes)

    def on_caught_up(self, reader: SlowReader) -> None:
        """Stop counting a client that has read what waited, or is gone."""
        self._since.pop(reader, None)

    def on_cut_off(self, reader: SlowReader) -> None:
        """Count a client that is about to be closed because it does not read."""
        self.slow += 1
        self.on_caught_up(reader)
        self._on_close(reader.buffered_bytes)

    def on_growth(self, size: int) -> None:
        """Count more bytes for a client that is behind; cut clients off above the bound.

        They are those with the largest product of what waits and how long they have been behind:
        of many that get the same, those that read nothing go first.
        """
        self._highest += size
        if self._highest > self._most:
            self._enforce_limit()

    def _enforce_limit(self) -> None:
        sizes = {reader: reader.buffered_bytes for reader in self._since}
        self._highest = sum(sizes.values())
        if self._highest <= self._most:
            return
        now = self._clock() + GRACE_SECONDS
        order = sorted(sizes, key=lambda each: sizes[each] * (now - self._since[each]))
        while order and self._highest > self._most - self._most // ROOM:
            worst = order.pop()
            self._highest -= sizes[worst]
            worst.cut_off()

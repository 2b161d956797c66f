"""Keeps what a connection sends to a client that does not read. Pure.

The transport keeps what it cannot write at once, each piece with some 700 bytes of its own, and
with TLS it encrypts it first, in memory that none of its figures shows. What waits here costs only
its size, and is dropped at once when the client is cut off.
"""

from __future__ import annotations

PIECE_BYTES = 64  # what a piece costs beside its own bytes


class HeldOutput:
    """Output of one connection that its transport is not given yet, in the order in which it came.

    ``size_bytes`` is what it costs.
    """

    __slots__ = ("_begun", "_pieces", "size_bytes")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._begun = 0  # bytes of the first piece that were taken
        self.size_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, data: bytes) -> int:
        """Add ``data``; return how many bytes of memory it costs."""
        self._pieces.append(data)
        size = len(data) + PIECE_BYTES
        self.size_bytes += size
        return size

    def pop(self, most: int) -> bytes:
        """Return the next bytes, ``most`` at most."""
        taken, left, count = [], most, 0
        for piece in self._pieces:
            end = self._begun + left
            if not left:
                break
            if len(piece) > end:
                taken.append(piece[self._begun : end])
                self._begun = end
                break
            taken.append(piece[self._begun :] if self._begun else piece)
            left -= len(piece) - self._begun
            self._begun = 0
            count += 1
        done = self._pieces[:count]
        del self._pieces[:count]
        self.size_bytes -= sum(map(len, done)) + PIECE_BYTES * count
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def clear(self) -> None:
        """Drop all of it."""
        self._pieces.clear()
        self._begun = self.size_bytes = 0

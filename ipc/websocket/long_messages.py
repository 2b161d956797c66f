"""Keeps messages that arrive in pieces, and drops a long one whose beginning allows no such length.

A message of up to ``LONG_MESSAGE_BYTES`` takes little memory, whatever it turns out to be. Of a
longer one the first ``BEGINNING_BYTES`` decide whether the rest is kept: otherwise a client could
have the largest frame collected, and decoded, only to be refused.
"""

from __future__ import annotations

from typing import Protocol

try:
    from websockets.speedups import apply_mask as apply_mask  # ten times as fast as what follows
except ImportError:
    from websockets.utils import apply_mask as apply_mask

LONG_MESSAGE_BYTES = 1024 * 1024
BEGINNING_BYTES = 1024
LONG_HEADER_BYTES = 14  # of a masked frame of at least 64 KiB: 2, the length in 8, the mask in 4


class MessageRules(Protocol):
    """Interface of what decides about the long messages of one connection, and answers them."""

    def most_bytes(self, beginning: bytes, /) -> int:
        """Return the largest size of a message that begins so."""

    def refuse(self, beginning: bytes, /) -> None:
        """Answer a message that is too long: it is dropped."""

    def accepts(self, message: bytes, /) -> bool:
        """Return whether a whole message may be decoded; answer it if not."""


class PartialMessage:
    """A message that arrives in pieces. ``length`` is its size in bytes if that is known."""

    __slots__ = ("_data", "_length", "_most", "_rules", "dropped")

    def __init__(self, rules: MessageRules | None, length: int = 0) -> None:
        self.dropped = False
        self._data = bytearray()
        self._length = length
        self._most: int | None = None
        self._rules = rules

    def add(self, piece: bytes) -> None:
        """Add the next piece; drop everything once the message is too long."""
        if self.dropped:
            return
        self._data += piece
        size = max(self._length, len(self._data))
        if size > LONG_MESSAGE_BYTES and self._rules is not None:
            self._check(size, self._rules)

    def _check(self, size: int, rules: MessageRules) -> None:
        if len(self._data) < BEGINNING_BYTES:
            return
        beginning = bytes(self._data[:BEGINNING_BYTES])
        if self._most is None:
            self._most = rules.most_bytes(beginning)
        if size > self._most:
            self.dropped = True
            self._data = bytearray()
            rules.refuse(beginning)

    def release(self) -> bytes | None:
        """Return the whole message, and keep it no longer; ``None`` if it was refused."""
        if self.dropped:
            return None
        data, self._data = bytes(self._data), bytearray()
        if len(data) > LONG_MESSAGE_BYTES and self._rules is not None:
            return data if self._rules.accepts(data) else None
        return data


class LongFrame:
    """A masked frame while it arrives, from its ``header`` on; ``left`` bytes are missing."""

    __slots__ = ("_mask", "first", "left", "message")

    def __init__(self, header: bytes, rules: MessageRules | None) -> None:
        self.first = header[0]
        self.left = int.from_bytes(header[2:10], "big")
        self.message = PartialMessage(rules, self.left)
        self._mask = header[10:LONG_HEADER_BYTES]

    def add(self, data: bytes) -> bytes:
        """Add received data; return what follows the frame."""
        piece, rest = data[: self.left], data[self.left :]
        self.left -= len(piece)
        if not self.message.dropped:
            self.message.add(apply_mask(piece, self._mask))
            turn = len(piece) % 4
            self._mask = self._mask[turn:] + self._mask[:turn]
        return rest

"""Holds a text that comes in pieces, as one copy for all of its readers. Pure."""

from __future__ import annotations

MANY_PIECES = 1024  # are joined to one: each takes 58 bytes, however short it is


class GrowingText:
    """A text to which pieces are added.

    It is joined when it is read, and held as one piece from then on: the answer of an agent may
    have megabytes, and its run, the run's events and previews all read it. ``length`` is that of
    the text, in characters.
    """

    __slots__ = ("_latest", "_pieces", "length")

    def __init__(self, text: str = "") -> None:
        self._pieces = [text]
        self._latest: list[str] = []
        self.length = len(text)

    def append(self, piece: str) -> None:
        """Add a piece at the end."""
        self._latest.append(piece)
        self.length += len(piece)
        if len(self._latest) >= MANY_PIECES:
            self._pieces.append("".join(self._latest))
            self._latest.clear()

    def clear(self) -> None:
        """Make the text empty: it begins anew."""
        self._pieces = [""]
        self._latest.clear()
        self.length = 0

    @property
    def text(self) -> str:
        """The whole text so far; for all readers the same object."""
        if self._latest or len(self._pieces) > 1:
            self._pieces = ["".join([*self._pieces, *self._latest])]
            self._latest.clear()
        return self._pieces[0]

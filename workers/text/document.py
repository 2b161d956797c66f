"""Represents a marked-up text as its characters and a tree of elements over them. Pure.

Rendering and splitting need only this: a part of the message is a range of the characters, and
the tree tells which markup has to be opened and closed around and inside that range.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal

import msgspec

Kind = Literal[
    "root", "paragraph", "line", "heading", "quote", "pre", "rule", "marker",
    "ul", "ol", "li", "table", "row", "head", "cell",
    "strong", "em", "strike", "code", "link", "url",
]  # fmt: skip

# What holds blocks: the characters directly in it only separate them.
CONTAINERS = frozenset({"root", "quote", "ul", "ol", "li", "table", "row"})
ATOMS = frozenset({"link", "url", "marker"})  # not cut while there is any other place


class Element(msgspec.Struct):
    """A range of characters of one kind. ``value``: a link's URL, a heading's level, …"""

    kind: Kind
    start: int
    end: int = 0
    value: str = ""
    children: list[Element] = msgspec.field(default_factory=list)


class Ranges:
    """An ascending list of disjoint ranges, searchable by index."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        """Append a range; it must begin after all others."""
        if start < end:
            self._starts.append(start)
            self._ends.append(end)

    def around(self, at: int) -> tuple[int, int] | None:
        """Return the range that a cut before index ``at`` would divide, if any."""
        place = bisect_right(self._starts, at - 1) - 1
        if place >= 0 and self._starts[place] < at < self._ends[place]:
            return self._starts[place], self._ends[place]
        return None

    def holds(self, at: int) -> bool:
        """Return whether the character at ``at`` lies in a range."""
        place = bisect_right(self._starts, at) - 1
        return place >= 0 and at < self._ends[place]


class Document(msgspec.Struct, frozen=True):
    """A text and the tree of its elements.

    ``atoms`` are the ranges that should not be divided; in ``verbatim`` ones white space is kept.
    """

    text: str
    root: Element
    atoms: Ranges
    verbatim: Ranges


class DocumentBuilder:
    """Builds a document from the beginning to the end.

    An element of a ``flat`` kind is not opened again inside one of the same kind.
    """

    def __init__(self, flat: Iterable[Kind] = ()) -> None:
        self._flat = frozenset(flat)
        self._pieces: list[str] = []
        self._length = 0
        self._root = Element("root", 0)
        self._open: list[Element] = [self._root]
        self._opened: list[bool] = []  # for each call of open: whether it made an element
        self._atoms = Ranges()
        self._verbatim = Ranges()
        self._gap = ""

    @property
    def length(self) -> int:
        """The number of characters written so far."""
        return self._length

    def open(self, kind: Kind, value: str = "") -> bool:
        """Open an element, after the pending gap if there is one; return whether it was opened."""
        self._flush_gap()
        new = not (kind in self._flat and any(each.kind == kind for each in self._open))
        self._opened.append(new)
        if new:
            element = Element(kind, self._length, value=value)
            self._open[-1].children.append(element)
            self._open.append(element)
        return new

    def close(self) -> None:
        """Close the element that was opened last."""
        if not self._opened.pop():
            return
        element = self._open.pop()
        element.end = self._length
        if element.kind in ATOMS:
            self._atoms.add(element.start, element.end)
        elif element.kind == "pre":
            self._verbatim.add(element.start, element.end)
        if element.start == element.end:
            self._open[-1].children.pop()  # nothing is in it

    def write(self, text: str) -> None:
        """Append characters to the innermost element."""
        if text:
            self._flush_gap()
            self._pieces.append(text)
            self._length += len(text)

    def leaf(self, kind: Kind, text: str, value: str = "") -> None:
        """Append an element without children that contains ``text``."""
        self.open(kind, value)
        self.write(text)
        self.close()

    def separate(self, gap: str) -> None:
        """Write ``gap`` before the next element or text, but not at the document's ends."""
        if self._length and len(gap) > len(self._gap):
            self._gap = gap

    def finish(self) -> Document:
        """Return the document."""
        self._root.end = self._length
        return Document("".join(self._pieces), self._root, self._atoms, self._verbatim)

    def _flush_gap(self) -> None:
        if self._gap:
            gap, self._gap = self._gap, ""
            self._pieces.append(gap)
            self._length += len(gap)


def plain_document(text: str) -> Document:
    """Return a document without any markup."""
    return Document(text, Element("root", 0, len(text)), Ranges(), Ranges())

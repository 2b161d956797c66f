"""Renders a document in parts that each fit in one message of the platform. Pure.

A part is a range of the document's characters: what is open where it begins is opened again, and
closed where it ends. So fences, links and bold text go on in the next part, and no mark, entity or
escape is ever cut: only characters of the source are divided, and the length that counts is that
of the rendered part.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from workers.text.dialects import Dialect
from workers.text.document import Document, Element
from workers.text.graphemes import cut_before
from workers.text.limits import Unit
from workers.text.units import length

_PARAGRAPH = re.compile(r"\n\n")
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s|(?<=[。！？])")  # noqa: RUF001 - they are meant
_WORD = re.compile(r"\s")
_LEVELS = (_PARAGRAPH, _LINE, _SENTENCE, _WORD)


def parts_of(document: Document, dialect: Dialect, limit: int, unit: Unit) -> list[str]:
    """Return the document in parts of at most ``limit`` units; no parts if it is blank.

    A part preferably ends after a paragraph, otherwise after a line, a sentence or a word.
    """
    if not document.text.strip():
        return []
    return list(_Splitter(document, dialect, limit, unit).split())


class _Splitter:
    def __init__(self, document: Document, dialect: Dialect, limit: int, unit: Unit) -> None:
        self._document = document
        self._text = document.text
        self._dialect = dialect
        self._limit = limit
        self._unit = unit

    def split(self) -> Iterator[str]:
        """Yield the parts."""
        start = self.begin(0)
        while start < len(self._text):
            until = self._furthest(start, bare=False)
            bare = until - start < self._limit // 8 and until < len(self._text)
            if bare:  # the marks leave no room for what they mark
                bare_until = self._furthest(start, bare=True)
                bare = bare_until > until
                until = max(until, bare_until)
            if until < len(self._text):
                until = self._cut(start, until)
            end = self.end(start, until)
            yield self._bare(start, end) if bare else self.render(start, end)
            start = self.begin(until)

    def begin(self, at: int) -> int:
        """Return where a part that may begin at ``at`` really begins: after white space."""
        text, verbatim = self._text, self._document.verbatim
        if verbatim.holds(at):
            return at + (text[at] == "\n")
        while at < len(text) and text[at].isspace() and not verbatim.holds(at):
            at += 1
        return at

    def end(self, start: int, at: int) -> int:
        """Return where a part that may end at ``at`` really ends: before white space."""
        text, verbatim = self._text, self._document.verbatim
        while at > start and text[at - 1].isspace() and not verbatim.holds(at - 1):
            at -= 1
        return at

    def render(self, start: int, end: int) -> str:
        """Return a range of the document rendered, with the enclosing marks opened and closed."""
        return self._element(self._document.root, start, end)

    def _element(self, element: Element, start: int, end: int) -> str:
        place, stop = max(start, element.start), min(end, element.end)
        children, kind, value = element.children, element.kind, element.value
        pieces: list[str] = []

        def emit(until: int) -> None:
            if place < until:
                line_start = place == start or self._text[place - 1] == "\n"
                text = self._text[place:until]
                pieces.append(self._dialect.escape(text, kind, line_start=line_start))

        first = bisect_right(children, place, key=lambda child: child.end)
        for child in children[first : bisect_left(children, stop, key=lambda child: child.start)]:
            emit(child.start)
            pieces.append(self._element(child, start, end))
            place = min(child.end, stop)
        emit(stop)
        if kind == "root":
            return "".join(pieces)
        if kind == "ol" and first < len(children):
            value = children[first].value  # the number goes on in the next part
        return self._dialect.wrap(kind, value, "".join(pieces))

    def _bare(self, start: int, end: int) -> str:
        return self._dialect.escape(self._text[start:end], "line", line_start=True)

    def _furthest(self, start: int, *, bare: bool) -> int:
        """Return the largest end for which the part from ``start`` fits; ``start`` if none does."""
        whole = len(self._text)
        if not self._limit:
            return whole
        high = min(whole, start + self._limit)  # no character takes less than one unit
        size = self._size(start, high, bare)
        if size <= self._limit:
            return high
        low = start
        middle = start + (high - start) * self._limit // size  # near: text is much alike
        while high - low > 1:
            middle = min(max(middle, low + 1), high - 1)
            if self._size(start, middle, bare) <= self._limit:
                low = middle
            else:
                high = middle
            middle = (low + high) // 2
        return low if low > start or not bare else start + 1

    def _size(self, start: int, until: int, bare: bool) -> int:
        end = self.end(start, until)
        return length(self._bare(start, end) if bare else self.render(start, end), self._unit)

    def _cut(self, start: int, until: int) -> int:
        """Return the best place to cut in ``(start, until]``.

        A cut must fill at least half of the part; if none does, a line or word end may fill less.
        """
        middle = start + (until - start) // 2
        for keep_atoms in (True, False):
            for pattern, low in (
                *((each, middle) for each in _LEVELS),
                (_LINE, start),
                (_WORD, start),
            ):
                place = self._last(pattern, low, until, keep_atoms)
                if place is not None:
                    return place
            atom = self._document.atoms.around(until)
            if keep_atoms and atom is not None and atom[0] > start:
                return atom[0]
            if atom is None:
                break
        return cut_before(self._text, until, start)

    def _last(self, pattern: re.Pattern[str], low: int, until: int, keep_atoms: bool) -> int | None:
        """Return the last place in ``(low, until]`` that ``pattern`` names and that may be cut."""
        prose = pattern is _PARAGRAPH or pattern is _SENTENCE
        found = [
            match.start() + len(match[0].rstrip())
            for match in pattern.finditer(self._text, low, min(len(self._text), until + 2))
        ]
        for place in reversed(found):
            if not low < place <= until or (prose and self._document.verbatim.holds(place)):
                continue
            if not keep_atoms or self._document.atoms.around(place) is None:
                return place
        return None

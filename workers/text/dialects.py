"""Defines the interface of markup dialects, and the helpers that they share. Pure."""

from __future__ import annotations

import re
from typing import Protocol

from workers.text.document import Kind

DASH = "———"  # a horizontal rule where the dialect has none
_LANGUAGE = re.compile(r"[A-Za-z0-9+#_.-]{1,32}")
# What a link may point to; in everything else the address stays readable beside the label.
_LINKABLE = re.compile(r"(?:https?://|mailto:|tel:|tg://)\S+\Z", re.IGNORECASE)


class Dialect(Protocol):
    """The text markup that one platform understands."""

    @property
    def lists(self) -> bool:
        """Whether the dialect has lists; otherwise the marks of list items are written as text."""

    @property
    def tables(self) -> bool:
        """Whether the dialect has tables; otherwise a table is aligned text in a code block."""

    @property
    def headings(self) -> bool:
        """Whether the dialect has headings; otherwise a heading is bold text."""

    @property
    def autolinks(self) -> bool:
        """Whether the platform turns a bare URL into a link."""

    @property
    def bullet(self) -> str:
        """The mark before a list item, in a dialect without lists."""

    @property
    def flat(self) -> frozenset[Kind]:
        """The kinds of elements that have no effect when nested in themselves."""

    def links(self, url: str) -> bool:
        """Return whether ``url`` can be a link with a label; if not, it is written after it."""

    def escape(self, text: str, inside: Kind, *, line_start: bool) -> str:
        """Return ``text`` escaped, so that the platform shows it literally.

        ``inside`` is the kind of the enclosing element; ``line_start``: the text begins a line.
        """

    def wrap(self, kind: Kind, value: str, inner: str) -> str:
        """Return the rendered text ``inner`` with the marks of an element of this kind."""


def is_linkable(url: str) -> bool:
    """Return whether platforms turn ``url`` into a link."""
    return _LINKABLE.match(url) is not None


def language_of(info: str) -> str:
    """Return the language of a code block: the first word of its info string, or "" if odd."""
    found = _LANGUAGE.match(info.strip())
    return found[0] if found else ""


def mark_lines(inner: str, before: str, after: str) -> str:
    """Mark each line of ``inner`` by itself; white space at its ends stays outside the marks."""
    return "\n".join(_marked(line, before, after) for line in inner.split("\n"))


def _marked(line: str, before: str, after: str) -> str:
    core = line.strip()
    if not core:
        return line
    start = line.index(core[0])
    return f"{line[:start]}{before}{core}{after}{line[start + len(core) :]}"


def prefix_lines(inner: str, prefix: str) -> str:
    """Begin each line of ``inner`` with ``prefix``."""
    return prefix + inner.replace("\n", f"\n{prefix}")

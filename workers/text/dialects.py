"""Define what a markup dialect has to do, and what all of them share. Pure."""

from __future__ import annotations

import re
from typing import Protocol

from workers.text.document import Kind

DASH = "———"  # a horizontal rule where the dialect has none
_LANGUAGE = re.compile(r"[A-Za-z0-9+#_.-]{1,32}")
# What a link may point to; in everything else the address stays readable beside the label.
_LINKABLE = re.compile(r"(?:https?://|mailto:|tel:|tg://)\S+\Z", re.IGNORECASE)


class Dialect(Protocol):
    """How one platform wants its text."""

    @property
    def lists(self) -> bool:
        """Whether it has lists; else the marks of their items are written as text."""

    @property
    def tables(self) -> bool:
        """Whether it has tables; else they are aligned text in a fence."""

    @property
    def headings(self) -> bool:
        """Whether it has headings; else they are bold."""

    @property
    def autolinks(self) -> bool:
        """Whether the platform makes a link of an address that has no label."""

    @property
    def bullet(self) -> str:
        """The mark of an item where there are no lists."""

    @property
    def flat(self) -> frozenset[Kind]:
        """What has no effect inside itself."""

    def links(self, url: str) -> bool:
        """Return whether a label can carry ``url``; else the address is written behind it."""

    def escape(self, text: str, inside: Kind, *, line_start: bool) -> str:
        """Return ``text`` so that the platform shows exactly it.

        ``inside`` is what directly holds it; ``line_start``: a line begins with it.
        """

    def wrap(self, kind: Kind, value: str, inner: str) -> str:
        """Return the rendered ``inner`` marked as an element of this kind."""


def is_linkable(url: str) -> bool:
    """Return whether ``url`` is an address that platforms make a link of."""
    return _LINKABLE.match(url) is not None


def language_of(info: str) -> str:
    """Return the language of a fence by its first word; "" when that is no plain name."""
    found = _LANGUAGE.match(info.strip())
    return found[0] if found else ""


def mark_lines(inner: str, before: str, after: str) -> str:
    """Mark each line of ``inner`` by itself, and leave white space at its ends outside."""
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

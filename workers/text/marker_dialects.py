"""Renders to dialects that mark text with surrounding characters, and to plain text. Pure.

Slack and WhatsApp have no escape for a literal ``*`` or ``_``: what stands in the text like a mark
may be shown as one. Discord has one, and so a text comes out there as it went in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from workers.text.dialects import is_linkable, mark_lines, prefix_lines
from workers.text.document import Kind

_FLAT: frozenset[Kind] = frozenset({"strong", "em", "strike", "code", "link"})
_FENCE = "```"
_DEFUSED = "`\u200b`\u200b`"  # three backticks that end no fence
_RAW: frozenset[Kind] = frozenset({"code", "pre", "marker", "url"})

_URL = r"https?://[^\s<>()\[\]]+"
_DISCORD_SPECIAL = re.compile(rf"({_URL})|([\\*_~`|]|\](?=\())")
# What Discord makes a link of by itself; marks in it are part of the address.
_DISCORD_LINK = r"""(?:https?|steam)://[^\s<]+[^<.,:; "'\]\s]"""
_DISCORD_PLAIN_MARK = r"([\\*_~`|<\[]|@(?=everyone|here)|:(?=[\w+~-]+:))"
# A backslash behind a link, or behind punctuation that follows it, would make both part of it:
# there a space keeps them apart.
_DISCORD_PLAIN = re.compile(
    rf"""({_DISCORD_LINK})(?=[.,:;"'\]]*{_DISCORD_PLAIN_MARK})?|{_DISCORD_PLAIN_MARK}"""
)
_DISCORD_LINE = re.compile(r"(?m)^([ \t]*)(#{1,3}(?=\s)|>|[-+](?=[\s#])|\d+(?=[.)]\s))")
_MIRC = re.compile("[\x00-\x08\x0b-\x1f\x7f]")  # colours and other codes; not tab and newline
_RUN = re.compile("`+")


def escape_discord(text: str, inside: Kind, line_start: bool) -> str:
    """Escape each character that Discord would read as a mark, except in URLs."""
    if inside in _RAW:
        return text
    return _escape_discord_lines(_escape_marks(_DISCORD_SPECIAL, text), line_start)


def escape_discord_plain(text: str, inside: Kind, line_start: bool) -> str:
    """Escape everything that Discord would not show literally.

    Beside marks that is whatever stands in ``<…>`` (people, channels, times), ``@everyone``, and
    the names of emoji.
    """
    return _escape_discord_lines(_DISCORD_PLAIN.sub(_escape_plain_mark, text), line_start)


def _escape_marks(marks: re.Pattern[str], text: str) -> str:
    return marks.sub(lambda found: found[1] or f"\\{found[2]}", text)


def _escape_plain_mark(found: re.Match[str]) -> str:
    link, mark_behind, mark = found.groups()
    return f"\\{mark}" if mark else f"{link} " if mark_behind else str(link)


def _escape_discord_lines(text: str, line_start: bool) -> str:
    """Escape the characters that, at the start of a line, make it a heading, quote or list item."""
    first = 0 if line_start else text.find("\n") + 1
    if not line_start and not first:
        return text
    return text[:first] + _DISCORD_LINE.sub(_defuse_line, text[first:])


def _defuse_line(found: re.Match[str]) -> str:
    indent, mark = found[1], found[2]
    return f"{indent}{mark}\\" if mark.isdigit() else f"{indent}\\{mark}"


def escape_mrkdwn(text: str, inside: Kind, line_start: bool) -> str:
    """Write Slack's three control characters as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_irc(text: str, inside: Kind, line_start: bool) -> str:
    """Remove control characters, such as colour codes, from the text."""
    return _MIRC.sub("", text)


def escape_nothing(text: str, inside: Kind, line_start: bool) -> str:
    """Return the text unchanged: the dialect has no marks, or no way to escape them."""
    return text


def link_mrkdwn(url: str, label: str) -> str:
    """Return a link in Slack's syntax; line breaks in the label become spaces."""
    safe = url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return f"<{safe}|{label.replace(chr(10), ' ')}>"


def link_discord(url: str, label: str) -> str:
    """Return a link in Discord's syntax; parentheses in the address are encoded."""
    safe = url.replace("(", "%28").replace(")", "%29").replace("<", "%3C").replace(">", "%3E")
    return f"[{label}]({safe})"


class MarkerDialect(msgspec.Struct, frozen=True):
    """A dialect that marks text with characters. ``quote`` begins each quoted line."""

    marks: Mapping[Kind, str] = msgspec.field(default_factory=dict)
    escaped: Callable[[str, Kind, bool], str] = escape_nothing
    link: Callable[[str, str], str] | None = None
    fence: bool = False
    languages: bool = False  # a fence names its language
    spans: bool = False  # a code span may be fenced by two backticks and more
    headings: bool = False
    quote: str = "> "
    flat: frozenset[Kind] = _FLAT
    lists: bool = False
    tables: bool = False
    autolinks: bool = True
    bullet: str = "• "

    def links(self, url: str) -> bool:
        """Return whether the dialect has links, and ``url`` can be one."""
        return self.link is not None and is_linkable(url)

    def escape(self, text: str, inside: Kind, *, line_start: bool) -> str:
        """Return ``text`` with its special characters escaped as the dialect does."""
        return self.escaped(text, inside, line_start)

    def wrap(self, kind: Kind, value: str, inner: str) -> str:
        """Return ``inner`` between its marks."""
        if kind == "code":
            return self._code(inner)
        if mark := self.marks.get(kind):
            return mark_lines(inner, mark, mark)
        if kind == "pre" and self.fence:
            body = inner.replace(_FENCE, _DEFUSED)
            return f"{_FENCE}{value if self.languages else ''}\n{body}\n{_FENCE}"
        if kind == "quote":
            return prefix_lines(inner, self.quote)
        if kind == "link" and self.link is not None:
            return self.link(value, inner)
        if kind == "heading" and self.headings:
            return f"{'#' * min(int(value), 3)} {inner.replace(chr(10), ' ')}"
        return inner

    def _code(self, inner: str) -> str:
        mark = self.marks.get("code", "")
        if not mark or "`" not in inner or mark != "`":
            return f"{mark}{inner}{mark}"
        if not self.spans:
            return inner  # nothing can hold it
        around = "`" * (max(map(len, _RUN.findall(inner))) + 1)
        return f"{around} {inner} {around}"


PLAIN = MarkerDialect()
MRKDWN = MarkerDialect(
    marks={"strong": "*", "em": "_", "strike": "~", "code": "`"},
    escaped=escape_mrkdwn,
    link=link_mrkdwn,
    fence=True,
    flat=_FLAT | {"quote"},
)
DISCORD = MarkerDialect(
    marks={"strong": "**", "em": "*", "strike": "~~", "code": "`"},
    escaped=escape_discord,
    link=link_discord,
    fence=True,
    languages=True,
    spans=True,
    headings=True,
    bullet="- ",
    flat=_FLAT | {"quote"},
)
DISCORD_PLAIN = MarkerDialect(escaped=escape_discord_plain)
WHATSAPP = MarkerDialect(
    marks={"strong": "*", "em": "_", "strike": "~", "code": "`"},
    fence=True,
    flat=_FLAT | {"quote"},
)
IRC = MarkerDialect(
    marks={"strong": "\x02", "em": "\x1d", "strike": "\x1e", "code": "\x11", "pre": "\x11"},
    escaped=escape_irc,
)

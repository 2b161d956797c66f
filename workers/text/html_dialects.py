"""Renders to HTML: full HTML for mail and Matrix, or the few tags that Telegram accepts. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from workers.text.dialects import is_linkable
from workers.text.document import CONTAINERS, Kind

_INLINE: Mapping[Kind, str] = {"strong": "b", "em": "i", "strike": "s", "code": "code"}
_BLOCKS: Mapping[Kind, str] = {
    "paragraph": "p",
    "ul": "ul",
    "table": "table",
    "row": "tr",
    "head": "th",
    "cell": "td",
}


def escape_html(text: str) -> str:
    """Return ``text`` escaped for HTML content."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_attribute(value: str) -> str:
    """Return ``value`` escaped for an HTML attribute in double quotes."""
    return escape_html(value).replace('"', "&quot;")


class HtmlDialect(msgspec.Struct, frozen=True):
    """HTML. ``blocks``: with paragraphs, lists, headings and tables; otherwise line breaks only."""

    blocks: bool
    lists: bool
    tables: bool
    headings: bool
    flat: frozenset[Kind]
    autolinks: bool = False
    bullet: str = "• "

    def links(self, url: str) -> bool:
        """Return whether the scheme of ``url`` is one that may be a link."""
        return is_linkable(url)

    def escape(self, text: str, inside: Kind, *, line_start: bool) -> str:
        """Return ``text`` with entities; what separates blocks is a line break of the source."""
        if not self.blocks or inside in ("pre", "rule"):
            return escape_html(text)
        if inside in CONTAINERS:
            return "\n"
        return escape_html(text).replace("\n", "<br>\n")

    def wrap(self, kind: Kind, value: str, inner: str) -> str:
        """Return ``inner`` in the tags of an element of this kind."""
        if kind in _INLINE:
            return f"<{_INLINE[kind]}>{inner}</{_INLINE[kind]}>"
        if kind == "link":
            return f'<a href="{escape_attribute(value)}">{inner}</a>'
        if kind == "quote":
            return f"<blockquote>{inner}</blockquote>"
        if kind == "pre":
            if value:
                inner = f'<code class="language-{escape_attribute(value)}">{inner}</code>'
            elif self.blocks:
                inner = f"<code>{inner}</code>"
            return f"<pre>{inner}</pre>"
        return self._block(kind, value, inner) if self.blocks else inner

    def _block(self, kind: Kind, value: str, inner: str) -> str:
        if kind in _BLOCKS:
            return f"<{_BLOCKS[kind]}>{inner}</{_BLOCKS[kind]}>"
        if kind == "heading":
            return f"<h{value}>{inner}</h{value}>"
        if kind == "ol":
            return f"<ol>{inner}</ol>" if value == "1" else f'<ol start="{value}">{inner}</ol>'
        if kind == "li":
            return f"<li>{inner}</li>"
        return "<hr>" if kind == "rule" else inner


_FLAT: frozenset[Kind] = frozenset({"strong", "em", "strike", "code", "link"})

TELEGRAM_HTML = HtmlDialect(
    blocks=False, lists=False, tables=False, headings=False, flat=_FLAT | {"quote"}
)
HTML = HtmlDialect(blocks=True, lists=True, tables=True, headings=True, flat=_FLAT)

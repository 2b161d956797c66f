"""Parses Markdown into a document that a dialect can render. Pure.

CommonMark with tables and strike-through, as models write it. HTML is text like any other, and
definitions of link references stay as they are: what was written is never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from workers.text.dialects import DASH, Dialect, language_of
from workers.text.document import Document, DocumentBuilder, Kind
from workers.text.tables import aligned, end_of, has_more_cells, rows_of, text_of

PARAGRAPHS, LINES = "\n\n", "\n"  # what separates blocks
MOST_BRACKETS = 1_000  # a text with more has no links: looking for them costs each some µs

_INLINE: dict[str, Kind] = {"strong_open": "strong", "em_open": "em", "s_open": "strike"}


def document_of(source: str, dialect: Dialect, longest_link: int = 0) -> Document:
    """Parse a Markdown text; only constructs that ``dialect`` supports become elements.

    A link whose mark is longer than ``longest_link`` does not become an element; 0: no limit.
    """
    tokens = _parser(source.count("[") <= MOST_BRACKETS).parse(source)
    reader = _Reader(dialect, source.split("\n"), longest_link)
    reader.read(tokens)
    return reader.builder.finish()


@cache
def _parser(links: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
    parser.disable(["html_block", "html_inline", "reference"])
    return parser if links else parser.disable(["link", "image"])


class _Reader:
    """Builds a document from the tokens of one text."""

    def __init__(self, dialect: Dialect, lines: Sequence[str], longest_link: int) -> None:
        self.builder = DocumentBuilder(dialect.flat)
        self._dialect = dialect
        self._lines = lines
        self._longest_link = longest_link
        self._ordered: list[bool] = []  # of each open list
        # Of each open link: its address, whether it is an element, and where its label begins.
        self._links: list[tuple[str, bool, int]] = []

    def read(self, tokens: Sequence[Token]) -> None:
        """Read block tokens, including those nested in quotes and lists."""
        place = 0
        while place < len(tokens):
            token = tokens[place]
            if token.type == "table_open":
                end = end_of(tokens, place)
                self._table(tokens[place : end + 1])
                place = end
            else:
                self._block(token)
            place += 1

    def _block(self, token: Token) -> None:
        builder = self.builder
        match token.type:
            case "inline":
                self._inline(token.children or [])
            case "paragraph_open":
                builder.open("line" if token.hidden else "paragraph")
            case "heading_open":
                builder.open("heading" if self._dialect.headings else "paragraph", token.tag[1:])
                builder.open("line" if self._dialect.headings else "strong")
            case "heading_close":
                builder.close()
                builder.close()
                builder.separate(PARAGRAPHS)
            case "paragraph_close":
                builder.close()
                builder.separate(LINES if token.hidden else PARAGRAPHS)
            case "blockquote_open":
                builder.open("quote")
            case "blockquote_close":
                builder.close()
                builder.separate(PARAGRAPHS)
            case "fence" | "code_block":
                builder.leaf("pre", token.content.removesuffix("\n"), language_of(token.info))
                builder.separate(PARAGRAPHS)
            case "hr":
                builder.leaf("rule", DASH)
                builder.separate(PARAGRAPHS)
            case "bullet_list_open" | "ordered_list_open" | "list_item_open":
                self._open_list(token)
            case "bullet_list_close" | "ordered_list_close" | "list_item_close":
                self._close_list(token)

    def _open_list(self, token: Token) -> None:
        builder, dialect = self.builder, self._dialect
        if token.type != "list_item_open":
            ordered = token.type == "ordered_list_open"
            self._ordered.append(ordered)
            builder.open("ol" if ordered else "ul")
            return
        builder.open("li", token.info)
        if not dialect.lists:
            mark = f"{token.info}. " if self._ordered[-1] else dialect.bullet
            builder.leaf("marker", self._indent(1) + mark)

    def _close_list(self, token: Token) -> None:
        self.builder.close()
        if token.type != "list_item_close":
            self._ordered.pop()
        nested = bool(self._ordered)
        self.builder.separate(LINES if nested else PARAGRAPHS)

    def _indent(self, less: int = 0) -> str:
        """Return the white space before a line of the innermost list item."""
        return "" if self._dialect.lists else "  " * max(0, len(self._ordered) - less)

    def _inline(self, tokens: Sequence[Token]) -> None:
        builder = self.builder
        place = 0
        while place < len(tokens):
            token = tokens[place]
            place += 1
            match token.type:
                case "strong_open" | "em_open" | "s_open":
                    builder.open(_INLINE[token.type])
                case "strong_close" | "em_close" | "s_close":
                    builder.close()
                case "code_inline":
                    builder.leaf("code", token.content)
                case "softbreak" | "hardbreak":
                    builder.write(f"\n{self._indent()}")
                case "link_open":
                    url = str(token.attrGet("href") or "")
                    if self._dialect.autolinks and _is_bare(tokens, place, url):
                        builder.leaf("url", tokens[place].content)
                        place += 2
                    else:
                        self._open_link(url)
                case "link_close":
                    self._close_link()
                case "image":
                    self._open_link(str(token.attrGet("src") or ""))
                    self._inline(token.children or [])
                    self._close_link()
                case _:
                    builder.write(token.content)

    def _open_link(self, url: str) -> None:
        carried = self._dialect.links(url)
        if carried and self._longest_link:
            carried = len(self._dialect.wrap("link", url, "")) <= self._longest_link
        carried = carried and self.builder.open("link", url)
        self._links.append((url, carried, self.builder.length))

    def _close_link(self) -> None:
        """Close a link; if it did not become an element, write its address after the label."""
        builder = self.builder
        url, carried, start = self._links.pop()
        labelled = builder.length > start
        if carried:
            builder.close()
        if url and not (carried and labelled):
            builder.write(" (" if labelled else "")
            builder.leaf("url", url)
            builder.write(")" if labelled else "")

    def _table(self, tokens: Sequence[Token]) -> None:
        builder = self.builder
        first, last = tokens[0].map or (0, 0)
        rows = rows_of(tokens)
        if has_more_cells(self._lines[first:last], len(rows[0])):
            builder.leaf("pre", "\n".join(self._lines[first:last]).strip("\n"))
        elif not self._dialect.tables:
            builder.leaf("pre", aligned([[text_of(cell) for cell in row] for row in rows]))
        else:
            builder.open("table")
            for number, row in enumerate(rows):
                builder.open("row")
                for cell in row:
                    builder.open("cell" if number else "head")
                    self._inline(cell)
                    builder.write(" " if not cell else "")
                    builder.close()
                    builder.separate("\t")
                builder.close()
                builder.separate(LINES)
            builder.close()
        builder.separate(PARAGRAPHS)


def _is_bare(tokens: Sequence[Token], place: int, url: str) -> bool:
    """Return whether the label of a link, which begins at ``place``, is the link's own address."""
    label = tokens[place]
    return (
        label.type == "text"
        and tokens[place + 1].type == "link_close"
        and url in (label.content, f"mailto:{label.content}")
    )

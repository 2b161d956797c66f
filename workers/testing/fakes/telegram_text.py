"""Parses text as Telegram's server does: its HTML tags, and UTF-16 lengths. Pure."""

from __future__ import annotations

from html.parser import HTMLParser

TAGS = frozenset(
    {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "blockquote"}
)


class WrongMarkup(ValueError):
    """HTML that Telegram refuses."""


def shown_text(text: str, parse_mode: str | None) -> str:
    """Return what people see of ``text``. Raises ``WrongMarkup``."""
    if not parse_mode:
        return text
    if parse_mode != "HTML":
        raise WrongMarkup(f"unsupported parse_mode {parse_mode}")
    reader = _TelegramHtml()
    reader.feed(text)
    reader.close()
    if reader.open:
        raise WrongMarkup(f'can\'t find end tag corresponding to start tag "{reader.open[-1]}"')
    return reader.shown


def utf16_length(text: str) -> int:
    """Return the length of ``text`` as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class _TelegramHtml(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shown = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise WrongMarkup(f'unsupported start tag "{tag}"')
        if tag == "blockquote" and tag in self.open:
            raise WrongMarkup("a blockquote can't be nested")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise WrongMarkup(f'unmatched end tag, found "</{tag}>"')

    def handle_data(self, data: str) -> None:
        self.shown += data

"""Parses text as Discord's clients show it, with every possible mark as markup. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

INTERPRETED = "\ufffc"  # stands for what is shown as something else: a person, a time, an emoji

_LINE_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[ \t]*#{1,3}[ \t]+"), ""),
    (re.compile(r"[ \t]*-#[ \t]+"), ""),
    (re.compile(r"[ \t]*>(?:>>)?[ \t]+"), ""),
    (re.compile(r"[ \t]*[-*+][ \t]+"), "\u2022 "),
    (re.compile(r"[ \t]*\d+[.)][ \t]+"), "1. "),
)
_LINK = re.compile(r"""(?:https?|steam)://[^\s<]+[^<.,:; "'\]\s]""")
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\\([^0-9A-Za-z\s])"), lambda found: found[1]),
    (_LINK, lambda found: found[0]),
    (re.compile(r"<((?:https?|steam)://[^\s>]+)>"), lambda found: found[1]),
    (re.compile(r"<(?:@[!&]?\d+|#\d+|a?:\w+:\d+|t:-?\d+(?::\w)?|/[^>]+:\d+|id:\w+)>"),
     lambda found: INTERPRETED),
    (re.compile(r"@(?:everyone|here)"), lambda found: INTERPRETED),
    (re.compile(r":[\w+~-]+:"), lambda found: INTERPRETED),
    (re.compile(r"```(?:\w*\n)?([\s\S]+?)\n?```"), lambda found: found[1]),
    (re.compile(r"(`+)([\s\S]+?[^`])\1(?!`)"), lambda found: found[2].strip()),
    (re.compile(r"\[([^\]\n]+)\]\(<?[^)\s]+\)"), lambda found: shown_text(found[1])),
    (re.compile(r"(\|\||\*\*|__|~~)(?=\S)([\s\S]+?)(?<!\\)\1"), lambda found: shown_text(found[2])),
    (re.compile(r"([*_])(?=\S)([\s\S]+?)(?<!\\)\1"), lambda found: shown_text(found[2])),
)  # fmt: skip


def shown_text(text: str) -> str:
    """Return what people see of the content of a message."""
    shown: list[str] = []
    at, line_start = 0, True
    while at < len(text):
        end, piece = _next(text, at, line_start)
        shown.append(piece)
        line_start = text[end - 1] == "\n"
        at = end
    return "".join(shown)


def _next(text: str, at: int, line_start: bool) -> tuple[int, str]:
    """Return where the element at a place ends, and what it shows."""
    if line_start:
        for pattern, piece in _LINE_RULES:
            if found := pattern.match(text, at):
                return found.end(), piece
    for pattern, show in _RULES:
        if found := pattern.match(text, at):
            return found.end(), show(found)
    return at + 1, text[at]

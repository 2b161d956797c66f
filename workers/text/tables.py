"""Reads the rows of a Markdown table, and aligns them as text of fixed width. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from markdown_it.token import Token

WIDEST = 40  # columns of the screen; a wider cell is not waited for by the others
MOST_CELLS = 1_000  # a larger table is not aligned

_BREAK = re.compile(r"(?<!\\)\|")

Cell = Sequence[Token]


def end_of(tokens: Sequence[Token], start: int) -> int:
    """Return the index of the token that closes the table which opens at ``start``."""
    for place in range(start, len(tokens)):
        if tokens[place].type == "table_close":
            return place
    return len(tokens) - 1


def rows_of(tokens: Sequence[Token]) -> list[list[Cell]]:
    """Return the rows of a table, the head first; each cell is its inline tokens."""
    rows: list[list[Cell]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.children or [])
    return rows


def has_more_cells(lines: Sequence[str], columns: int) -> bool:
    """Return whether a row has more cells than the head: Markdown would leave them out."""
    return any(len(_BREAK.split(line.strip().strip("|"))) > columns for line in lines)


def text_of(cell: Cell) -> str:
    """Return a cell as text without marks, addresses behind their labels."""
    pieces: list[str] = []
    urls: list[str] = []
    for token in cell:
        if token.type == "link_open":
            urls.append(str(token.attrGet("href") or ""))
        elif token.type == "link_close":
            url = urls.pop()
            pieces.append("" if pieces and pieces[-1] == url else f" ({url})")
        elif token.type == "image":
            pieces.append(f"{token.content} ({token.attrGet('src')})")
        else:
            pieces.append(token.content)
    return "".join(pieces).replace("\n", " ")


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines with columns of equal width, and a line below the head."""
    columns = max(map(len, rows), default=0)
    if len(rows) * columns > MOST_CELLS:
        return "\n".join(" | ".join(row).rstrip() for row in rows)
    widths = [
        min(WIDEST, max((screen_width(row[at]) for row in rows if at < len(row)), default=0))
        for at in range(columns)
    ]
    lines = [
        " | ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(lines)


def screen_width(text: str) -> int:
    """Return the columns that ``text`` takes in a font of one width."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - screen_width(cell))

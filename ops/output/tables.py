"""Fits tables to the width of a terminal, one line per row. Pure.

Columns that no row fills are left out. If not everything fits, others follow in the order of their
``expendable``, then the widest ones are cut, with an ellipsis. Widths are in terminal cells: an
East Asian character takes two.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import combining

GAP = "  "
CUT = "…"
_LEAST_TEXT = 34  # cells that the last column keeps before others are left out for it
_LEAST_NAME = 24  # cells to which the first column is cut for one that is hardly expendable
_DEAR = 2  # the ``expendable`` up to which a column is such a one
_LEAST_CUT = 8  # cells below which no column is cut
_LEAST_BESIDE = 4  # the same, beside one that should stay whole: what is cut cannot be typed
_MOST_OF_A_CELL = 32  # characters of a joined emoji, or a letter with its marks
_JOINER = "\u200d"
# It, the two that choose a form, and the colours of skins.
_JOINING = f"{_JOINER}\ufe0e\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
_JOINTS = re.compile(f"{_JOINER}(?=[\u2190-\U0010ffff])|[{_JOINING[1:]}]")  # not those of letters
_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))  # two of them are a flag


class Column(NamedTuple):
    """A column of a table. Those with the highest ``expendable`` are left out first, 0 never.

    ``figure`` aligns its cells to the right. ``whole``: it is cut only after all others, because
    its text is typed into other commands.
    """

    title: str
    expendable: int = 0
    figure: bool = False
    whole: bool = False


class Table(NamedTuple):
    """Columns, the width of each in cells, and the rows, cut to these widths and not padded."""

    columns: list[Column]
    widths: list[int]
    rows: list[list[str]]


def complete(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Table:
    """Return the table with every column, uncut."""
    widths = [_widest(columns, rows, index) for index in range(len(columns))]
    return Table(list(columns), widths, [list(row) for row in rows])


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> Table:
    """Return the table for ``width`` cells: without columns that no row fills, but for the first.

    Without rows it has all that are not expendable.
    """
    rows = [[_apart(cell) for cell in row] for row in rows]
    kept = [
        index
        for index, column in enumerate(columns)
        if not index or any(row[index] for row in rows) or not (rows or column.expendable)
    ]
    widest = {index: _widest(columns, rows, index) for index in kept}
    last = kept[-1]
    while _sum(_with_least(widest, kept, last)) > width:
        # The last one is cut rather than left out, where that is of use.
        expendable = [i for i in kept if columns[i].expendable > (1 if i == last else 0)]
        if not expendable:
            break
        least = max(expendable, key=lambda index: (columns[index].expendable, index))
        if columns[least].expendable <= _DEAR:
            begin = min(widest[kept[0]], _LEAST_NAME)
            if _sum([begin, *_with_least(widest, kept[1:], last)]) <= width:
                break
        kept.remove(least)
    whole = [columns[index].whole for index in kept]
    widths = _narrowed([widest[index] for index in kept], whole, width)
    cut = [[cut_to(row[i], w) for i, w in zip(kept, widths, strict=True)] for row in rows]
    return Table([columns[index] for index in kept], widths, cut)


def aligned(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line of a table: cells padded to their widths, without trailing spaces."""
    padded = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        space = " " * (width - cells_of(cell))
        padded.append(space + cell if column.figure else cell + space)
    return GAP.join(padded).rstrip()


def cells_of(text: str) -> int:
    """Return the width of a text in terminal cells."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def lines_of(text: str, columns: int) -> int:
    """Return how many lines a text takes on a terminal of so many columns."""
    return max(1, -(-cells_of(text) // columns))


def cut_to(text: str, width: int) -> str:
    """Return ``text`` cut to ``width`` cells, with an ellipsis if it was longer."""
    if cells_of(text) <= width:
        return text
    if width <= 0:
        return ""
    end = width - 1
    if not text.isascii():
        ends = range(min(len(text), _MOST_OF_A_CELL * width) + 1)
        end = bisect_right(ends, width - 1, key=lambda end: cells_of(text[:end])) - 1
        while end and not _begins_sign(text, end):
            end -= 1
    return text[:end].rstrip() + CUT


def _apart(text: str) -> str:
    """Return ``text`` with joined emoji taken apart, and without the colours of skins.

    One terminal shows such a sign in two cells and another in eight: the table would not fit.
    """
    return text if text.isascii() else _JOINTS.sub("", text)


def _begins_sign(text: str, at: int) -> bool:
    """Return whether a sign begins there, rather than goes on: with a mark, or as a joined emoji.

    Half of a sign looks like another one, or like none.
    """
    if combining(text[at]) or text[at] in _JOINING or text[at - 1] == _JOINER:
        return False
    before = text[:at]
    flags = len(before) - len(before.rstrip(_FLAG_LETTERS))
    return not (text[at] in _FLAG_LETTERS and flags % 2)


def _widest(columns: Sequence[Column], rows: Sequence[Sequence[str]], index: int) -> int:
    """Return the width of a column in cells, with its title."""
    return max(cells_of(columns[index].title), *(cells_of(row[index]) for row in rows), 0)


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _with_least(widest: dict[int, int], kept: Sequence[int], last: int) -> list[int]:
    return [min(widest[i], _LEAST_TEXT) if i == last else widest[i] for i in kept]


def _narrowed(widths: list[int], whole: Sequence[bool], width: int) -> list[int]:
    """Return ``widths`` reduced to the total: first the last column, then always the widest.

    Columns that should stay whole are cut once all others have their least width.
    """
    excess = _sum(widths) - width
    if excess <= 0:
        return widths
    if not whole[-1]:
        widths[-1] -= min(excess, max(0, widths[-1] - _LEAST_TEXT))
    for spared, least in ((True, _LEAST_BESIDE), (False, _LEAST_CUT)):
        chosen = [index for index, each in enumerate(whole) if not (spared and each)]
        while _sum(widths) > width and chosen:
            widest = max(chosen, key=lambda index: widths[index])
            if widths[widest] <= least:
                break
            widths[widest] -= 1
    return widths

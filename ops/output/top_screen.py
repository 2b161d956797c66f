"""Draws the screen of ``trunkline top``: status rows, the chosen one, and the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ipc.frames.words import is_agent
from ops.output.account_table import ACCOUNT_COLUMNS, account_cells, phase_style, why
from ops.output.commands import for_runtime
from ops.output.listing import summary
from ops.output.tables import Column, aligned, cells_of, cut_to, fitted

Row = Mapping[str, Any]

KEYS = "q quit  j/k move  s start  x stop  r restart  l logs"
_COLOURS = {"green": "32", "cyan": "36", "yellow": "33", "red": "31", "dim": "2"}
_MARGIN = "  "
_AROUND = 4  # lines beside the rows: the sum, the titles, what is asked, the keys
_SHOWN = ("account", "phase", "pid", "uptime", "next try", "rss", "cpu", "in", "out")


class View(NamedTuple):
    """The content of the screen; ``message`` is the last outcome or question.

    Until the first answer nothing is ``known``.
    """

    rows: Sequence[Row]
    chosen: int
    first: int
    columns: int
    lines: int
    now: float
    message: str = ""
    colours: bool = True
    known: bool = True


def room(lines: int) -> int:
    """Return how many rows fit on a terminal of ``lines`` lines."""
    return max(1, lines - _AROUND)


def heads(rows: Sequence[Row]) -> int:
    """Return the number of header lines for agents, which follow the accounts."""
    return int(len({is_agent(row["account"]) for row in rows}) == 2)


def scrolled(first: int, chosen: int, count: int, lines: int) -> int:
    """Return the first visible row, so that the chosen one is visible."""
    shown = room(lines)
    first = min(first, chosen, max(0, count - shown))
    return max(first, chosen - shown + 1, 0)


def draw(view: View) -> list[str]:
    """Return the lines of the screen, cut to its width."""
    shown = view.rows[view.first : view.first + room(view.lines - heads(view.rows))]
    lines = [cut_to(_sum(view.rows), view.columns)] if view.known else []
    none = cut_to(for_runtime("no accounts; `trunkline setup` adds one"), view.columns)
    lines += _table(view, shown) if shown else ["", none] if view.known else []
    lines += [""] * (view.lines - 2 - len(lines))
    hidden = len(view.rows) - len(shown)
    more = f"  ({hidden} more)" if hidden > 0 else ""
    lines.append(cut_to(view.message, view.columns))
    lines.append(cut_to(KEYS + more, view.columns))
    return lines[: view.lines]


def _sum(rows: Sequence[Row]) -> str:
    """Return the summary of accounts and, if there are any, of agents."""
    agents = [row for row in rows if is_agent(row["account"])]
    accounts = summary([row for row in rows if not is_agent(row["account"])])
    return f"{accounts}   {summary(agents, 'agent')}" if agents else accounts


def _table(view: View, shown: Sequence[Row]) -> list[str]:
    columns = [each for each in ACCOUNT_COLUMNS if each.title in _SHOWN]
    columns.append(Column("why", 1))
    cells = []
    for row in shown:
        found = account_cells(row, view.now)
        found["why"] = why(row, found)
        cells.append([found[each.title] for each in columns])
    margin = "" if view.colours else _MARGIN  # room for a mark, which the colours do without
    table = fitted(columns, cells, view.columns - len(margin))
    titles = [column.title.upper() for column in table.columns]
    lines, agents = [], None
    for number, (row, texts) in enumerate(zip(shown, table.rows, strict=True), start=view.first):
        if agents is not is_agent(row["account"]):
            agents = is_agent(row["account"])
            titles[0] = "AGENT" if agents else "ACCOUNT"
            head = aligned(table.columns, titles, table.widths)
            lines.append(cut_to(margin + head, view.columns))
        line = margin + aligned(table.columns, texts, table.widths)
        lines.append(_marked(cut_to(line, view.columns), row, view, chosen=number == view.chosen))
    return lines


def _marked(line: str, row: Row, view: View, *, chosen: bool) -> str:
    """Return a line with its colour; the chosen one is also marked without colours."""
    if not view.colours:
        return f">{line[1:]}" if chosen else line
    if chosen:
        return f"\x1b[7m{line}{' ' * (view.columns - cells_of(line))}\x1b[0m"
    colour = _COLOURS.get(phase_style(row))
    return f"\x1b[{colour}m{line}\x1b[0m" if colour else line

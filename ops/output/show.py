"""Prints values: as JSON for scripts, as tables for people.

On a terminal a table fits its width, one line per row, without columns that no row fills;
elsewhere it has all columns, uncut, so that scripts find each at its place.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ops.output.tables import Column, Table, aligned, complete, fitted
from ops.output.text import clean, json_for_terminal

# Of all tables but that of accounts. What is typed into another command is cut last; what matters
# least on a narrow terminal is left out first.
_WHOLE = frozenset(
    {"id", "key", "account", "agent", "sender", "request", "device", "node", "next", "valid until"}
)
_LEAST_FIRST = (
    "client", "errors", "proved by", "requests", "attempts", "message", "channel", "asked",
    "tokens", "version", "status", "platform", "delivery", "agent", "verified", "kind",
    "incarnation", "schedule", "messages", "commands", "roles", "request",
)  # fmt: skip
_EXPENDABLE = {title: 2 + rank for rank, title in enumerate(reversed(_LEAST_FIRST))}


def show_json(value: Any) -> None:
    """Print ``value`` as one JSON document; structs in their wire form."""
    import msgspec

    document = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(json_for_terminal(document) + "\n")


def show_json_line(value: Any) -> None:
    """Print ``value`` as one line of JSON and flush, for commands that keep printing."""
    import msgspec

    sys.stdout.write(json_for_terminal(msgspec.json.encode(value).decode()) + "\n")
    sys.stdout.flush()


def show_yaml(value: Any) -> None:
    """Print ``value`` as one YAML document; structs in their wire form."""
    import msgspec

    sys.stdout.write(msgspec.yaml.encode(value).decode())


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print ``rows`` under ``columns``, with control characters made visible."""
    if not rows:
        print("none")
        return
    cells = [[clean("" if value is None else str(value)) for value in row] for row in rows]
    show_columns(
        [
            Column(name, _EXPENDABLE.get(name, 0) if number else 0, whole=name in _WHOLE)
            for number, name in enumerate(columns)
        ],
        cells,
    )


def show_columns(
    columns: Sequence[Column],
    cells: Sequence[Sequence[str]],
    *,
    styles: Sequence[str] = (),
    cut: bool = True,
) -> None:
    """Print a table of texts that are already cleaned.

    On a terminal ``styles`` colours the second column of each row, and the table fits it unless
    ``cut`` is false. Elsewhere nothing is left out, cut or coloured.
    """
    if not sys.stdout.isatty():
        columns = [column._replace(figure=False) for column in columns]
        _print_table(complete(columns, cells), ())
        return
    from rich.console import Console

    console = Console(highlight=False)
    table = fitted(columns, cells, console.width) if cut else complete(columns, cells)
    _print_table(table, styles or [""] * len(cells), console)


def _print_table(table: Table, styles: Sequence[str], console: Any = None) -> None:
    columns, widths, rows = table
    titles = aligned(columns, [column.title.upper() for column in columns], widths)
    if console is None:
        for line in (titles, *(aligned(columns, row, widths) for row in rows)):
            print(line)
        return
    from rich.text import Text

    # Text, not str: brackets in an error must not be read as markup
    lines = [Text(titles, style="bold")]
    for row, style in zip(rows, styles, strict=True):
        lines.append(Text(aligned(columns, row, widths)))
        if style and len(row) > 1:
            at = len(aligned(columns, [row[0], "", *[""] * (len(row) - 2)], widths))
            at = lines[-1].plain.index(row[1], at)
            lines[-1].stylize(style, at, at + len(row[1]))
    for each in lines:
        console.print(each, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)


def show_fields(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print ``rows`` as a table; ``columns`` names a key of the rows for each title."""
    show_table(list(columns), [[_cell(row.get(key)) for key in columns.values()] for row in rows])


def show_rest(known: int, shown: int) -> None:
    """Print on standard error how many of the ``known`` rows are not ``shown``, if any."""
    if known > shown:
        print(f"{known - shown} more; --limit shows more of them", file=sys.stderr)


def _cell(value: Any) -> object:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value

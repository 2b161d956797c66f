"""Prints values: as JSON for scripts, as tables for people.

Tables are rich ones on a terminal and plain aligned columns everywhere else.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ipc.frames.words import Phase
from ops.output.text import clean, duration, mebibytes

PHASE_COLOURS: dict[str, str] = {
    Phase.RUNNING: "green",
    Phase.STARTING: "cyan",
    Phase.STOPPING: "yellow",
    Phase.BACKOFF: "yellow",
    Phase.FAILED: "red",
    Phase.STOPPED: "dim",
}

ACCOUNT_COLUMNS = (
    "account",
    "phase",
    "cause",
    "pid",
    "uptime",
    "incarnation",
    "failures",
    "next try",
    "rss",
    "cpu",
    "in",
    "out",
    "dropped",
    "last error",
)

# An agent has turns, and no messages of its own.
AGENT_COLUMNS = (
    "agent",
    *(each for each in ACCOUNT_COLUMNS[1:] if each not in ("in", "out", "dropped")),
)


def show_json(value: Any) -> None:
    """Print ``value`` as one JSON document; structs in their wire form."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def show_json_line(value: Any) -> None:
    """Print ``value`` as one line of JSON, at once: for commands that go on printing."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print ``rows`` under ``columns``, control characters made visible."""
    cells = [[clean("" if value is None else str(value)) for value in row] for row in rows]
    if sys.stdout.isatty():
        _show_rich(columns, cells)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in ([name.upper() for name in columns], *cells):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


def _show_rich(columns: Sequence[str], cells: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(
            name, overflow="fold", no_wrap=name in ("account", "agent", "phase", "pid")
        )
    for row in cells:
        # Text, not str: brackets in an error must not be read as markup
        table.add_row(*(Text(cell, style=PHASE_COLOURS.get(cell, "")) for cell in row))
    Console().print(table)


def show_fields(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print ``rows`` as a table; ``columns`` names a key of the rows for each title."""
    if not rows:
        print("none")
        return
    show_table(list(columns), [[_cell(row.get(key)) for key in columns.values()] for row in rows])


def _cell(value: Any) -> object:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def show_accounts(accounts: Sequence[Mapping[str, Any]]) -> None:
    """Print the status rows of accounts as a table."""
    if not accounts:
        print("no accounts; add one with `trunkline channels add CHANNEL:NAME key=value…`")
        return
    show_table(ACCOUNT_COLUMNS, [account_row(row, time.time()) for row in accounts])


def show_agents(agents: Sequence[Mapping[str, Any]]) -> None:
    """Print the status rows of agents as a table."""
    now = time.time()
    rows = [dict(zip(ACCOUNT_COLUMNS, account_row(row, now), strict=True)) for row in agents]
    for cells, row in zip(rows, agents, strict=True):
        cells["agent"] = str(row["account"]).partition(":")[2]
    show_table(AGENT_COLUMNS, [[cells[name] for name in AGENT_COLUMNS] for cells in rows])


def account_row(row: Mapping[str, Any], now: float) -> list[object]:
    """Return the cells of one account at ``now`` (epoch seconds)."""
    dropped = row.get("dropped") or {}
    cpu = row.get("cpuPercent")
    return [
        row["account"],
        row.get("phase"),
        row.get("cause") or _hint(row),
        row.get("pid"),
        _uptime(row, now),
        row.get("incarnation"),
        row.get("failures"),
        _next_try(row, now),
        mebibytes(row.get("rssBytes")),
        "" if cpu is None else f"{cpu:g} %",
        row.get("messagesIn"),
        row.get("messagesOut"),
        " ".join(f"{reason}={count}" for reason, count in sorted(dropped.items()) if count),
        row.get("todo") if row.get("login") else row.get("lastError"),
    ]


def _hint(row: Mapping[str, Any]) -> str | None:
    """Return the health of an account, for a row without a cause; ``None`` when it is fine."""
    health = row.get("health")
    return health if health not in (None, "ok") else None


def _uptime(row: Mapping[str, Any], now: float) -> str:
    ready = row.get("readyAt")
    return duration(now - ready / 1000) if ready and row.get("phase") == Phase.RUNNING else ""


def _next_try(row: Mapping[str, Any], now: float) -> str:
    due = row.get("nextTryAt")
    return f"in {duration(due / 1000 - now)}" if due else ""

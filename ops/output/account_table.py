"""Prints the status rows of accounts and agents as tables."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ipc.frames.words import Phase
from ops.output.commands import for_runtime
from ops.output.listing import is_degraded, summary
from ops.output.show import show_columns
from ops.output.tables import Column, cut_to
from ops.output.text import age, clean, mebibytes

Row = Mapping[str, Any]

# In the order in which scripts read them. On a terminal the most expendable are left out first.
ACCOUNT_COLUMNS = (
    Column("account"),
    Column("phase"),
    Column("cause"),
    Column("pid", 8, figure=True),
    Column("uptime", 3, figure=True),
    Column("incarnation", figure=True),
    Column("failures", figure=True),
    Column("next try", 2, figure=True),
    Column("rss", 4, figure=True),
    Column("cpu", 5, figure=True),
    Column("in", 7, figure=True),
    Column("out", 6, figure=True),
    Column("dropped"),
    Column("last error"),
)
NO_ACCOUNTS = "no accounts; add one with `trunkline channels add CHANNEL:NAME FIELD=VALUE…`"
_MESSAGES = ("in", "out", "dropped")  # an agent has turns, and no messages of its own
_WIDE_ONLY = ("incarnation", "failures", "dropped")
_INCOMPLETE = "unconfigured"
_A_PERSON_IS_NEEDED = ("needs login", "misconfigured")
_AROUND = 4  # lines beside the rows: the summary, the titles, and the prompt or what stands for it
_LEAST_ROWS = 8
_WHY = ("cause", "last error")  # one column on a terminal: the last, which is cut to what is left


def rows_that_fit(above: int = 0, agents: Sequence[Row] = ()) -> int | None:
    """Return how many lines a terminal has for the rows of accounts; ``None`` if it is none.

    ``above`` lines are printed before the table, a table of ``agents`` after it.
    """
    if not sys.stdout.isatty():
        return None
    below = len(agents) + 2 if agents else 0
    return max(_LEAST_ROWS, shutil.get_terminal_size().lines - above - below - _AROUND)


def show_accounts(
    accounts: Sequence[Row],
    *,
    wide: bool = False,
    known: int | None = None,
    room: int | None = None,
) -> None:
    """Print a table of accounts below a summary line.

    ``known`` is the number of all accounts if only some were requested. Of more than ``room`` rows
    the last ones, which are best, are summed up in one line: what is wrong stays in sight.
    """
    if not accounts:
        if known:
            print(f"none of {known} accounts")
        else:
            print(for_runtime(NO_ACCOUNTS))
        return
    if sys.stdout.isatty():
        print(summary(accounts))
    if room is None or len(accounts) <= room:
        _show(accounts, ACCOUNT_COLUMNS, wide=wide)
        return
    _show(accounts[: room - 1], ACCOUNT_COLUMNS, wide=wide)
    rest = accounts[room - 1 :]
    text = f"… {len(rest)} more (--all lists them): {summary(rest).partition(': ')[2]}"
    print(cut_to(text, shutil.get_terminal_size().columns))


def show_agents(agents: Sequence[Row], *, wide: bool = False) -> None:
    """Print a table of agents, by their ids."""
    columns = [each for each in ACCOUNT_COLUMNS if each.title not in _MESSAGES]
    columns[0] = Column("agent")
    _show(agents, columns, wide=wide)


def _show(rows: Sequence[Row], columns: Sequence[Column], *, wide: bool) -> None:
    now = time.time()
    if sys.stdout.isatty() and not wide:
        left_out = _WIDE_ONLY + _WHY
        columns = [each for each in columns if each.title not in left_out]
        columns.append(Column("why", 1))
    cells = []
    for row in rows:
        found = account_cells(row, now)
        found["agent"] = found["account"].partition(":")[2]
        found["why"] = why(row, found)
        cells.append([found[each.title] for each in columns])
    styles = [phase_style(row) for row in rows]
    show_columns(columns, cells, styles=styles, cut=not wide)


def why(row: Row, cells: Mapping[str, str]) -> str:
    """Return why an account is as it is, for a narrow column; ``cells`` are those of the row.

    An error says by itself that it is one; that a person is needed, and who has stopped an account
    for which reason, it does not, nor that it is over and the account is well.
    """
    cause, error = cells["cause"].replace("_", " "), cells["last error"]
    hold = row.get("hold") or {}
    if row.get("phase") == Phase.RUNNING and error and not (is_degraded(row) or row.get("login")):
        return f"earlier: {error}"
    if cause == "held" and hold.get("reason"):
        return clean(f"held: {hold['reason']}")
    if error and row.get("cause") and cause not in _A_PERSON_IS_NEEDED:
        return error
    return ": ".join(filter(None, (cause, error)))


def phase_style(row: Row) -> str:
    """Return the colour of an account's phase; the text carries the same meaning."""
    return "yellow" if is_degraded(row) else PHASE_COLOURS.get(str(row.get("phase")), "")


PHASE_COLOURS: dict[str, str] = {
    Phase.RUNNING: "green",
    Phase.STARTING: "cyan",
    Phase.STOPPING: "yellow",
    Phase.BACKOFF: "yellow",
    Phase.FAILED: "red",
    Phase.STOPPED: "dim",
}


def account_cells(row: Row, now: float) -> dict[str, str]:
    """Return the cells of one account at ``now`` (epoch seconds), by the column's title."""
    dropped = row.get("dropped") or {}
    cpu = row.get("cpuPercent")
    due = row.get("nextTryAt")
    ready = row.get("readyAt") if row.get("phase") == Phase.RUNNING else None
    health = row.get("health")
    values = {
        "account": row["account"],
        "phase": row.get("phase"),
        "cause": row.get("cause") or (health if health != "ok" else None),
        "pid": row.get("pid"),
        "uptime": age(now - ready / 1000) if ready else None,
        "incarnation": row.get("incarnation"),
        "failures": row.get("failures"),
        "next try": f"in {age(due / 1000 - now)}" if due else None,
        "rss": mebibytes(row.get("rssBytes")),
        "cpu": None if cpu is None else f"{cpu:g} %",
        "in": row.get("messagesIn"),
        "out": row.get("messagesOut"),
        "dropped": " ".join(f"{reason}={n}" for reason, n in sorted(dropped.items()) if n),
        "last error": for_runtime(row.get("todo") or "")
        if row.get("login") or row.get("cause") == _INCOMPLETE
        else row.get("lastError"),
    }
    return {name: clean("" if value is None else str(value)) for name, value in values.items()}

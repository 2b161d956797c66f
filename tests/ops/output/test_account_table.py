"""The tables of accounts and agents, on terminals of several widths and in a pipe."""

from __future__ import annotations

import asyncio
import os
import pty
from pathlib import Path
from typing import Any

import pytest

from ops.output.account_table import (
    ACCOUNT_COLUMNS,
    account_cells,
    phase_style,
    show_accounts,
    why,
)
from tests.support.commandline import PROGRAM, environment, trunkline
from tests.support.fakeserver import BACKOFF, HELD, account, fake_supervisor, status

EVIL = "kaboom \x1b[31m[red]"
ERROR = "127.0.0.1:6999: Connection refused: " + EVIL


def rows() -> dict[str, object]:
    broken = BACKOFF | {"lastError": ERROR, "dropped": {"late": 2, "slow client": 0}}
    accounts = [account(f"local:a{number}", incarnation=2097153) for number in range(40)]
    return status(*accounts, account("irc:libera", **broken), outages=3)


async def on_a_terminal(state: Path, columns: int, *args: str, **variables: str) -> str:
    """Run ``trunkline`` with a terminal as its output, and return what it wrote there."""
    async with fake_supervisor(state, supervisor__status=rows()):
        master, slave = pty.openpty()
        try:
            process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                *args,
                stdout=slave,
                env=environment(state, TERM="xterm", COLUMNS=str(columns), **variables),
            )
            async with asyncio.timeout(20):
                assert await process.wait() == 0
            os.set_blocking(master, False)
            return os.read(master, 1 << 20).decode().replace("\r\n", "\n")
        finally:
            os.close(master)
            os.close(slave)


@pytest.mark.parametrize("columns", [80, 110])
async def test_every_account_has_one_line_and_the_worst_is_the_first(
    state: Path, columns: int
) -> None:
    shown = await on_a_terminal(state, columns, "channels", "status", "--all", NO_COLOR="1")
    lines = shown.splitlines()
    assert lines[0] == "\x1b[1m41 accounts".removeprefix("\x1b[1m") + ": 1 in backoff, 40 running"
    titles, first = lines[1].replace("\x1b[1m", "").replace("\x1b[0m", ""), lines[2]
    assert titles.startswith("ACCOUNT     PHASE")
    assert "INCARNATION" not in titles
    assert first.startswith("irc:libera  backoff")
    assert first.endswith("…")
    assert len(lines) == 43
    assert all(len(line) <= columns for line in (titles, *lines[2:]))


@pytest.mark.parametrize("command", [["status"], ["channels", "status"]])
async def test_what_is_wrong_is_in_sight_whatever_the_size_of_the_fleet(
    state: Path, command: list[str]
) -> None:
    size = {"LINES": "24", "NO_COLOR": "1"}
    shown = (await on_a_terminal(state, 80, *command, **size)).splitlines()
    assert len(shown) == 22  # two are left for the prompt, and for what `--watch` adds
    assert any(line.startswith("irc:libera") for line in shown)
    more = 41 - sum(line.startswith(("irc:", "local:")) for line in shown)
    assert shown[-1] == f"… {more} more (--all lists them): {more} running"
    for each in (["--all"], ["--sort", "rss"], ["--filter", "phase=running,phase=backoff"]):
        whole = (await on_a_terminal(state, 80, *command, *each, **size)).splitlines()
        assert sum(line.startswith(("irc:", "local:")) for line in whole) == 41
    only = (await on_a_terminal(state, 80, *command, "local", **size)).splitlines()
    assert sum(line.startswith("local:") for line in only) == 40


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (HELD, "held: moving house"),
        (BACKOFF | {"cause": "transient", "lastError": "refused"}, "refused"),
        (BACKOFF | {"cause": "needs_login", "lastError": "revoked"}, "needs login: revoked"),
        (BACKOFF | {"cause": "crash_loop", "lastError": None}, "crash loop"),
        ({"health": "degraded: journal full", "lastError": None}, "degraded: journal full"),
        (
            {"phase": "stopped", "cause": "unconfigured", "todo": "nick not set: complete x"},
            "nick not set: complete x",
        ),
        ({"cause": None, "lastError": None}, ""),
    ],
)
def test_why_says_what_a_person_has_to_know(more: dict[str, Any], said: str) -> None:
    row = account("irc:libera", **more)
    assert why(row, account_cells(row, 0)) == said


async def test_wide_shows_every_column_whole_and_no_foreign_escape(state: Path) -> None:
    shown = await on_a_terminal(state, 80, "status", "-o", "wide")
    assert "INCARNATION" in shown
    assert "\x1b[33mbackoff" in shown
    assert "\x1b[32mrunning" in shown
    assert "refused: kaboom \\x1b[31m[red]" in shown
    assert "late=2" in shown


async def test_no_accounts_say_how_to_add_one(state: Path) -> None:
    async with fake_supervisor(state, supervisor__status=status(phase="backoff", lastError="oh")):
        result = await trunkline(state, "status")
    assert "channels add" in result.out
    assert "oh" in result.out


def test_in_a_pipe_all_columns_are_there_and_nothing_is_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_accounts([account("irc:libera", **BACKOFF | {"lastError": ERROR})])
    titles, line = capsys.readouterr().out.splitlines()
    assert titles.split("  ")[0] == "ACCOUNT"
    assert [title for title in ("INCARNATION", "FAILURES", "DROPPED") if title not in titles] == []
    assert line.endswith("refused: kaboom \\x1b[31m[red]")


def test_a_filter_that_holds_for_none_does_not_tell_to_add_accounts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_accounts([], known=41)
    assert capsys.readouterr().out == "none of 41 accounts\n"


def test_an_account_without_a_cause_shows_its_health() -> None:
    assert account_cells(account("a:b"), 0.0)["cause"] == ""
    sick = account("a:b", health="degraded: silent", nextTryAt=5_100)
    cells = account_cells(sick, 0.0)
    assert (cells["cause"], cells["next try"]) == ("degraded: silent", "in 5s")
    assert phase_style(sick) == "yellow"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"lastError": "refused"}, "earlier: refused"),
        ({"lastError": "refused", "health": "degraded: silent"}, "degraded: silent: refused"),
        (BACKOFF | {"lastError": "refused", "cause": "transient"}, "refused"),
    ],
)
def test_an_old_error_is_not_shown_as_the_reason_of_an_account_that_runs(
    fields: dict[str, Any], reason: str
) -> None:
    row = account("a:b", **fields)
    assert why(row, account_cells(row, 0.0)) == reason


def test_a_row_that_says_nothing_has_empty_cells() -> None:
    cells: dict[str, Any] = account_cells({"account": "a:b"}, 0.0)
    assert cells.pop("account") == "a:b"
    assert set(cells.values()) == {""}
    assert list(cells) == [column.title for column in ACCOUNT_COLUMNS[1:]]

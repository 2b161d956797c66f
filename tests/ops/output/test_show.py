"""Tables and JSON, on a terminal and in a pipe."""

from __future__ import annotations

import asyncio
import os
import pty
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops.output.show import (
    ACCOUNT_COLUMNS,
    account_row,
    show_fields,
    show_json,
    show_json_line,
    show_table,
)
from tests.support.commandline import PROGRAM, environment, trunkline
from tests.support.fakeserver import BACKOFF, account, fake_supervisor, status

EVIL = "kaboom \x1b[31m[red]"


def rows() -> dict[str, object]:
    broken = BACKOFF | {"lastError": EVIL, "dropped": {"late": 2, "slow client": 0}}
    return status(account("local:demo"), account("irc:libera", **broken), outages=3)


async def test_on_a_terminal_the_table_has_colours_and_no_foreign_escapes(state: Path) -> None:
    async with fake_supervisor(state, supervisor__status=rows()):
        master, slave = pty.openpty()
        try:
            process = await asyncio.create_subprocess_exec(
                *PROGRAM,
                "status",
                stdout=slave,
                env=environment(state, TERM="xterm", COLUMNS="250"),
            )
            async with asyncio.timeout(20):
                assert await process.wait() == 0
            shown = os.read(master, 65536).decode()
        finally:
            os.close(master)
            os.close(slave)
    assert "\x1b[32mrunning" in shown
    assert "\\x1b[31m[red]" in shown


async def test_no_accounts_say_how_to_add_one(state: Path) -> None:
    async with fake_supervisor(state, supervisor__status=status(phase="backoff", lastError="oh")):
        result = await trunkline(state, "status")
    assert "channels add" in result.out
    assert "oh" in result.out


def test_in_a_pipe_columns_are_aligned_and_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name", "what"), [("a", "x\x1b"), ("longer", None)])
    assert capsys.readouterr().out == "NAME    WHAT\na       x\\x1b\nlonger\n"


def test_fields_are_shown_as_people_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, Any]] = [{"id": 1, "tags": ["a", "b"], "on": True}, {"id": 2, "on": False}]
    show_fields(rows, {"key": "id", "tags": "tags", "on": "on"})
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()] == [
        ["KEY", "TAGS", "ON"],
        ["1", "a,", "b", "yes"],
        ["2", "no"],
    ]
    show_fields([], {"key": "id"})
    assert capsys.readouterr().out == "none\n"


def test_json_is_one_document_or_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": [1]})
    show_json_line({"a": [1]})
    document, line = capsys.readouterr().out.rsplit("\n", 2)[:2]
    assert msgspec.json.decode(document) == {"a": [1]}
    assert "\n" in document
    assert line == '{"a":[1]}'


def test_an_account_without_a_cause_shows_its_health() -> None:
    cells = dict(zip(ACCOUNT_COLUMNS, account_row(account("a:b"), 0.0), strict=True))
    assert cells["cause"] is None
    sick = account("a:b", health="degraded: silent", nextTryAt=5_100)
    cells = dict(zip(ACCOUNT_COLUMNS, account_row(sick, 0.0), strict=True))
    assert (cells["cause"], cells["next try"]) == ("degraded: silent", "in 5.1 s")

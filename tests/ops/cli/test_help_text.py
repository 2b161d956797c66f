"""How the help of a command is laid out."""

from __future__ import annotations

import pytest

from ops.cli.command_info import CommandInfo, OptionInfo
from ops.cli.help_text import help_text
from tests.ops.conftest import CommandLine

COMMAND = CommandInfo(
    ("cron", "add"),
    ("Add a job: when (--at, --every or --cron), and what (--message or --system-event).",),
    ("trunkline cron add --name 'a name that is long' --message 'and a text that is longer'",),
    (("ID", "Its id."),),
    (
        OptionInfo(("-n", "--name"), "NAME", "Its name. [required]"),
        OptionInfo(("--a-name-too-long-for-a-column",), "NAME", "Another."),
    ),
    (),
)


def test_each_part_has_its_heading_and_column() -> None:
    assert (
        help_text(COMMAND, {}, 60)
        == """\
Usage: trunkline cron add [OPTION…] ID

  Add a job: when (--at, --every or --cron), and what
  (--message or --system-event).

Arguments:
  ID  Its id.

Options:
  -n, --name NAME  Its name. [required]
  --a-name-too-long-for-a-column NAME
                   Another.
  -h, --help       Show this help and exit.

Examples:
  trunkline cron add --name 'a name that is long' --message 'and a text that is longer'"""
    )


@pytest.mark.parametrize("columns", [20, 40, 80, 110, 300])
def test_text_fits_the_terminal_and_is_no_wider_than_can_be_read(columns: int) -> None:
    text = help_text(COMMAND._replace(examples=()), {"Commands": [("go", "word " * 90)]}, columns)
    assert max(map(len, text.splitlines())) < max(40, min(columns, 100))


@pytest.mark.parametrize("line", ["--help", "channels --help", "cron add --help", "help status"])
def test_no_text_of_a_help_is_cut(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = cli(line).out
    assert "..." not in out
    prose = out.partition("\nExamples:")[0]
    assert max(map(len, prose.splitlines())) < 80
    assert "<" not in out

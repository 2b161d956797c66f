"""Sentences on a terminal: they break below their beginning, and commands in them do not."""

from __future__ import annotations

import re
import sys

import pytest

from ops.output.paragraphs import filled
from ops.output.tables import cells_of

COMMAND = "`trunkline --state-dir /srv/bots/state channels describe irc:libera`"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("begin", "text", "lines"),
    [
        ("  why  ", "short", ["  why  short"]),
        ("  why  ", "", ["  why  "]),
        (
            "  next  ",
            "it is started again by itself in a minute, or at once by you",
            ["  next  it is started again by itself in a minute, or at", "        once by you"],
        ),
        ("  ", f"see {COMMAND}, then", ["  see", f"  {COMMAND},", "  then"]),
        ("  ", "x" * 70, ["  " + "x" * 70]),
        ("  ", "it broke  [a.b]", ["  it broke  [a.b]"]),
        ("  ", "名" * 20 + " " + "名" * 20, ["  " + "名" * 20, "  " + "名" * 20]),
    ],
)
def test_further_lines_begin_below_the_text(begin: str, text: str, lines: list[str]) -> None:
    assert filled(begin, text).split("\n") == lines


@pytest.mark.usefixtures("terminal")
def test_no_line_is_wider_unless_one_word_is() -> None:
    text = " ".join(f"word{n} 名前{n}" for n in range(60))
    assert all(cells_of(line) <= 60 for line in filled("  begin  ", text).split("\n"))
    assert filled("", text).replace("\n", " ") == text


@pytest.mark.usefixtures("terminal")
def test_what_stays_whole_can_be_chosen() -> None:
    text = "if nothing helps then trunkline down --timeout 60 ends it"
    whole = re.compile("trunkline [a-z0-9 -]+ 60")
    assert filled("", text + " for good", whole).split("\n") == [
        "if nothing helps then trunkline down --timeout 60 ends it",
        "for good",
    ]
    assert filled("", "word " * 6 + text, whole).split("\n")[1].startswith("trunkline down")


def test_standard_error_may_be_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert "\n" not in filled("trunkline: ", "word " * 20)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert filled("trunkline: ", "word " * 20, stream=sys.stderr).count("\n") == 1


def test_elsewhere_it_is_one_line() -> None:
    assert filled("  why  ", "word " * 60) == "  why  " + "word " * 60

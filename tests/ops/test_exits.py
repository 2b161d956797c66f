"""The exit codes, as the guide explains them."""

from __future__ import annotations

import re

import pytest

from ops.exits import ExitCode, UnknownName
from tests.support.commandline import ROOT


def test_the_operations_guide_explains_every_exit_code() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    section = guide.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \| (.+) \| (.+) \|$", section, re.MULTILINE)
    told = {int(code): name.replace(" ", "_").upper() for code, name, _, _ in rows}
    assert told == {code.value: code.name for code in ExitCode}


@pytest.mark.parametrize(
    ("what", "listed_by"),
    [("agent", "agents list"), ("account", "channels list"), ("channel", "channels list")],
)
def test_of_many_names_the_command_that_lists_them_is_named(what: str, listed_by: str) -> None:
    many = [f"x{number}" for number in range(50)]
    assert str(UnknownName(what, "none", many)) == (
        f"unknown {what} 'none'; there are 50, see `trunkline {listed_by}`"
    )

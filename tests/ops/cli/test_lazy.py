"""Commands that are loaded when they run, and options that may stand after them."""

from __future__ import annotations

import re

import pytest

from ops.cli.main import Commands
from tests.ops.conftest import CommandLine
from tests.support.commandline import ROOT


def test_help_names_every_command_and_what_it_does(cli: CommandLine) -> None:
    result = cli("--help")
    assert result.code == 0
    for name, (_, summary) in Commands.table.items():
        assert re.search(rf"^  {name} +{re.escape(summary[:30])}", result.out, re.MULTILINE)


@pytest.mark.parametrize("name", Commands.table)
def test_every_command_explains_itself_and_is_in_the_guide(cli: CommandLine, name: str) -> None:
    result = cli(f"{name} --help")
    assert result.code == 0
    assert f"Usage: trunkline {name}" in result.out
    guide = (ROOT / "docs" / "operations.md").read_text()
    assert f"| `{name}" in guide


def test_every_module_with_a_command_is_in_the_table() -> None:
    listed = {place.partition(":")[0].rpartition(".")[2] for place, _ in Commands.table.values()}
    modules = (ROOT / "ops/commands").glob("*.py")
    apps = {path.stem for path in modules if "\napp = command_app(" in path.read_text()}
    assert len(apps) > 10, "they are not found any more"
    assert apps <= listed


def test_the_profile_may_stand_before_or_after_the_command(cli: CommandLine) -> None:
    before, after = cli("--state-dir /a config path"), cli("config path --state-dir /a")
    assert before.out == after.out == "/a/trunkline.json5\n"

"""The options of ``trunkline backup`` and ``trunkline restore``."""

from __future__ import annotations

import pytest

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_help_names_its_options(cli: CommandLine, command: str) -> None:
    found = cli(f"{command} --help")
    assert found.code == 0
    assert "--json" in found.out


def test_restore_asks_for_a_file(cli: CommandLine) -> None:
    cli("restore").complains(ExitCode.USAGE, "FILE")

"""The command ``trunkline setup``."""

from __future__ import annotations

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine


def test_it_has_a_help_and_needs_a_terminal(cli: CommandLine) -> None:
    assert "Ask for a channel" in cli("setup --help").out
    cli("setup").complains(ExitCode.USAGE, "no terminal")
    cli("setup extra").complains(ExitCode.USAGE)

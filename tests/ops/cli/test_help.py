"""The command ``trunkline help``."""

from __future__ import annotations

import pytest

from ops.cli.help import ABOUT, TOPICS
from ops.exits import ExitCode
from ops.output.listing import FILTERS
from tests.ops.conftest import CommandLine


def test_a_command_is_explained_as_by_its_own_help(cli: CommandLine) -> None:
    assert cli("help channels start").out == cli("channels start --help").out
    assert "start" in cli("help channels").out


@pytest.mark.parametrize("topic", TOPICS)
def test_each_topic_fits_a_terminal(cli: CommandLine, topic: str) -> None:
    lines = cli(f"help {topic}").out.splitlines()
    assert 2 < len(lines) <= 20
    assert max(map(len, lines)) < 80


def test_without_a_topic_there_is_a_list(cli: CommandLine) -> None:
    out = cli("help").out
    assert set(ABOUT) == set(TOPICS)
    assert all(f"\n  {topic} " in out for topic in TOPICS)
    assert max(map(len, out.splitlines())) < 80


def test_what_is_nearly_right_is_suggested(cli: CommandLine) -> None:
    cli("help phasse").complains(ExitCode.USAGE, "did you mean phases?")
    cli("help channels strat").complains(ExitCode.USAGE, "did you mean start?")
    cli("help up more").complains(ExitCode.USAGE, "'up more'")
    cli("help xyzzy").complains(ExitCode.USAGE, "'xyzzy'")


def test_every_filter_is_explained() -> None:
    assert all(name in TOPICS["filters"] for name in FILTERS)

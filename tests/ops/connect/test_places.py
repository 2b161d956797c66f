"""Flags, profiles and the environment choose the directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine


def test_all_places_are_printed(cli: CommandLine, state: Path) -> None:
    places = cli("config path --json").json
    assert places == {
        "config": f"{state}/trunkline.json5",
        "state": str(state),
        "run": str(state),
        "logs": f"{state}/logs",
        "profile": None,
    }


def test_an_impossible_profile_is_a_configuration_error(cli: CommandLine) -> None:
    cli("config path --profile ../evil").complains(ExitCode.CONFIGURATION, "impossible name")


def test_profiles_are_isolated(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRUNKLINE_STATE_DIR")
    paths = [cli(f"config path {flags}").out for flags in ("", "--dev", "--profile blue")]
    assert len(set(paths)) == 3
    assert "trunkline-dev" in paths[1]
    monkeypatch.setenv("TRUNKLINE_STATE_DIR", "/elsewhere")
    assert [cli(f"config path {flags}").out for flags in ("--dev", "--profile blue")] == paths[1:]


def test_one_profile_at_a_time(cli: CommandLine) -> None:
    cli("config path --dev --profile blue").complains(ExitCode.USAGE, "--profile or --dev")

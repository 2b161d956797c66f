"""The command that starts the daemon: its service, where one is installed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ops.connect.supervisor import not_running
from ops.service import systemd
from ops.service.installed import installed_scope, service_command, start_command
from runtime.config.places import Places

UNIT = "[Service]\nExecStart=/usr/bin/python3 -m ops.cli.entry --state-dir {state} up --quiet\n"


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The directories for units, none of them the host's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(systemd, "_SYSTEM_UNITS", tmp_path / "system")
    found = {"user": tmp_path / "config/systemd/user", "system": tmp_path / "system"}
    for directory in found.values():
        directory.mkdir(parents=True)
    return found


def places(state: str = "/srv/state") -> Places:
    where = Path(state)
    return Places(where, where / "trunkline.json5", where / "run", where / "logs", None)


def test_without_a_unit_it_is_up(units: dict[str, Path]) -> None:
    assert start_command(places()) == "trunkline up"
    (units["user"] / "trunkline.service").write_text('ExecStart="')
    assert start_command(places()) == "trunkline up"


@pytest.mark.parametrize("scope", ["user", "system"])
def test_with_a_unit_of_this_state_it_is_the_service(units: dict[str, Path], scope: str) -> None:
    (units[scope] / "trunkline.service").write_text(UNIT.format(state="/srv/state"))
    assert installed_scope(places()) == scope
    assert installed_scope(places("/srv/other")) is None
    assert installed_scope(replace(places(), profile="two")) is None
    (units[scope] / "trunkline-two.service").write_text("ExecStart=trunkline --profile two up\n")
    assert installed_scope(replace(places(), profile="two")) == scope
    assert f"`{start_command(places())}`" in str(not_running(places()))


def test_one_of_the_system_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert service_command("start", "system") == "sudo trunkline service start --system"
    assert service_command("stop", "user") == "trunkline service stop --user"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert service_command("start", "system") == "trunkline service start --system"

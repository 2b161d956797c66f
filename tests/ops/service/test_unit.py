"""The text of units, as systemd itself reads them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.service.unit import (
    MARKED,
    MARKER,
    Scope,
    UnitFacts,
    command_of,
    credentials_of,
    environment_of,
    unit_name,
    unit_text,
)

ANALYZE = shutil.which("systemd-analyze")
PYTHON = sys.executable
USER = UnitFacts(
    scope="user",
    command=(PYTHON, "-P", "-m", "ops.cli.entry", "--state-dir", "/tmp/a b", "up"),
    version="1.2.3",
    state_dir=Path("/tmp/a b"),
    config_dir=Path("/tmp/a b"),
    run_name="trunkline-12345678",
    open_files=65536,
)
SYSTEM = replace(
    USER,
    scope="system",
    user="daemon",
    credentials=(("telegram", Path("/etc/trunkline/100%.token")),),
)
FORBIDDEN = (
    "ProtectHome",
    "PrivateTmp",
    "ProtectControlGroups",
    "RestrictNamespaces",
    "DynamicUser",
)


def test_places_that_the_first_start_makes_may_be_missing() -> None:
    """systemd.exec(5): without the - a service whose path is missing never starts."""
    paths = shlex.split(directives(unit_text(SYSTEM))["ReadWritePaths"])
    assert paths == ["-/tmp/a b"]


def directives(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("facts", [USER, SYSTEM], ids=["user", "system"])
def test_what_keeps_a_daemon_alive_is_there_and_what_would_break_it_is_not(
    facts: UnitFacts,
) -> None:
    found = directives(unit_text(facts))
    expected = {
        "Type": "notify",
        "NotifyAccess": "main",
        "WatchdogSec": "30",
        "Restart": "always",
        "RestartPreventExitStatus": "78",
        "StartLimitIntervalSec": "0",
        "KillMode": "mixed",
        "Delegate": "yes",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert not found.keys() & FORBIDDEN


def test_only_the_system_s_unit_names_a_user_and_a_directory_in_run() -> None:
    system, user = directives(unit_text(SYSTEM)), directives(unit_text(USER))
    assert system["User"] == "daemon"
    assert system["RuntimeDirectory"] == "trunkline-12345678"
    assert system["WantedBy"] == "multi-user.target"
    assert environment_of(unit_text(SYSTEM))["TRUNKLINE_RUNTIME_DIR"] == "/run/trunkline-12345678"
    assert "User" not in user
    assert user["WantedBy"] == "default.target"
    assert environment_of(unit_text(USER))[MARKER] == MARKED


@pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("facts", [USER, SYSTEM], ids=["user", "system"])
def test_systemd_finds_nothing_wrong(facts: UnitFacts, tmp_path: Path) -> None:
    unit = tmp_path / "trunkline.service"
    unit.write_text(unit_text(facts))
    assert complaints(unit, facts.scope) == []
    unit.write_text(unit_text(facts).replace("Restart=always", "Restart=sometimes"))
    assert "restart specifier" in complaints(unit, facts.scope)[0]  # it does look


def complaints(unit: Path, scope: Scope) -> list[str]:
    """Return what ``systemd-analyze verify`` says about our unit."""
    assert ANALYZE is not None
    done = subprocess.run(
        [ANALYZE, *(["--user"] if scope == "user" else []), "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env={
            "HOME": str(unit.parent),
            "XDG_RUNTIME_DIR": str(unit.parent),
            "PATH": "/usr/bin:/bin",
        },
    )
    return [line for line in done.stderr.splitlines() if unit.name in line]


WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_a_command_line_is_read_as_it_was_written(words: list[str]) -> None:
    assert command_of(unit_text(replace(USER, command=tuple(words)))) == words


def test_credentials_are_read_as_they_were_written() -> None:
    assert credentials_of(unit_text(SYSTEM)) == SYSTEM.credentials
    assert "/etc/trunkline/100%%.token" in unit_text(SYSTEM)
    assert command_of("") == []


def test_each_profile_has_a_unit_of_its_own() -> None:
    assert unit_name(None) == "trunkline.service"
    assert unit_name("dev") == "trunkline-dev.service"

"""``trunkline service``, as it is typed."""

from __future__ import annotations

import sys
from pathlib import Path

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.recorded_programs import RecordedPrograms

SHOW = "ActiveState=active\nSubState=running\nMainPID=7\nUnitFileState=enabled\nResult=success\n"


async def test_a_service_is_installed_shown_and_removed(state: Path) -> None:
    programs = RecordedPrograms(state)
    programs.answer("systemctl", "")
    programs.answer("systemctl", "ActiveState=inactive\n", "show")
    programs.answer("loginctl", "no\n")
    path = f"{programs.directory}:{Path(sys.executable).parent}"
    done = await trunkline(state, "service", "install", "--user", PATH=path, OPENAI_API_KEY="hush")
    assert done.code == 0
    assert "warning: it does not get what this shell has in " in done.out
    assert "OPENAI_API_KEY" in done.out
    assert "`systemctl --user edit trunkline.service`" in done.out
    assert "hush" not in done.out
    assert done.out.startswith("trunkline.service runs (")
    assert "loginctl enable-linger" in done.out
    absent = await trunkline(state, "service", "status", "--user", PATH=path)
    assert absent.code == ExitCode.NOT_RUNNING
    programs.answer("systemctl", SHOW, "show")
    shown = await trunkline(state, "service", "status", "--user", PATH=path)
    assert shown.code == 0
    assert shown.out.startswith("service     active  running  pid 7\n")
    assert "at boot     started" in shown.out
    assert "it ends when this user logs out" in shown.out
    programs.answer("journalctl", "what it wrote\n")
    logs = await trunkline(state, "service", "logs", "--user", "-n", "3", PATH=path)
    assert logs.out == "what it wrote\n"
    gone = await trunkline(state, "gateway", "uninstall", "--user", "--json", PATH=path)
    assert gone.json["removed"] is True
    assert "the same as `trunkline service uninstall`" in gone.err


async def test_both_scopes_at_once_are_refused(state: Path) -> None:
    refused = await trunkline(state, "service", "status", "--user", "--system")
    assert refused.code == ExitCode.USAGE
    assert "exclude each other" in refused.err

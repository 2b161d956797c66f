"""What is asked of systemd, through recorded programs in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ops.exits import OperatorError
from ops.service.systemd import Systemd
from tests.support.recorded_programs import RecordedPrograms


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedPrograms:
    recorded = RecordedPrograms(tmp_path)
    monkeypatch.setenv("PATH", str(recorded.directory))
    return recorded


def test_each_scope_uses_its_own_manager(programs: RecordedPrograms) -> None:
    programs.answer("systemctl", "ActiveState=active\nMainPID=7\nResult=\n")
    for scope, flags in (("system", []), ("user", ["--user"])):
        found = Systemd(scope).properties("a.service", ["ActiveState", "MainPID"])  # type: ignore[arg-type]
        assert found == {"ActiveState": "active", "MainPID": "7", "Result": ""}
        command = ["systemctl", *flags, "--no-pager", "show", "a.service"]
        assert programs.calls[-1] == [*command, "--property=ActiveState,MainPID"]


@pytest.mark.parametrize(
    ("complaint", "sentence"),
    [
        ("System has not been booted with systemd as init system (PID 1).", "does not manage"),
        ("Failed to connect to bus: No medium found", "does not manage services of this user"),
        ("Job for a.service failed.", "`systemctl --user --no-pager enable a`: Job for"),
        ("", "exit code 1"),
    ],
)
def test_a_refusal_becomes_one_sentence(
    programs: RecordedPrograms, complaint: str, sentence: str
) -> None:
    programs.answer("systemctl", "", complaint=complaint, code=1)
    with pytest.raises(OperatorError, match=sentence):
        Systemd("user").control("enable", "a")


def test_without_systemd_the_other_way_is_named(programs: RecordedPrograms) -> None:
    with pytest.raises(OperatorError, match="`trunkline up --detach`"):
        Systemd("system").control("show", "a")


def test_only_names_of_variables_are_read(programs: RecordedPrograms, tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("# A=1\nTOKEN=hush\n  OTHER='x'\nnot one\n")
    shown = f'Environment=MARKER=1 "WORDS=a b"\nEnvironmentFiles={file} (ignore_errors=yes)\n'
    programs.answer("systemctl", f"{shown}EnvironmentFiles=/gone (ignore_errors=no)\n", "show")
    programs.answer("systemctl", "LANG=C\nPATH=/bin\n", "show-environment")
    found = Systemd("user").variables("a.service")
    assert found == {"MARKER", "WORDS", "TOKEN", "OTHER", "LANG", "PATH"}


def test_linger_is_yes_no_or_not_known(programs: RecordedPrograms) -> None:
    assert Systemd("user").lingers("ada") is None
    for text, lingers in (("yes\n", True), ("no\n", False)):
        programs.answer("loginctl", text)
        assert Systemd("user").lingers("ada") is lingers


def test_units_of_a_user_lie_in_its_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert Systemd("user").units == tmp_path / "systemd" / "user"
    assert Systemd("system").units == Path("/etc/systemd/system")
    command = Systemd("user").journal("a.service", 5, follow=True)
    assert command == ["journalctl", "--user-unit", "a.service", "--lines=5", "--follow"]
    command = Systemd("system").journal("a.service", 5, follow=False, json=True)
    assert command == ["journalctl", "--unit", "a.service", "--lines=5", "--output=json"]
    assert shutil.which("sh")

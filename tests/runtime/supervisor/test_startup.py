"""What is checked and made beside the zygote, before anything is served."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from runtime.supervisor.instance import Instance
from runtime.supervisor.processes import leftovers
from tests.support.startup_stages import Stages, replace_stages, run


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    return replace_stages(monkeypatch)


def test_a_first_start_writes_a_configuration_and_serves(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    assert stages.did == [
        "zygote",
        "subreaper",
        "launcher",
        [
            "workers.agents.echo",
            "workers.agents.echo.agent",
            "workers.channels.local",
            "workers.channels.local.plugin",
        ],
        "serve",
        "close",
        "end",
    ]
    said = capsys.readouterr().out
    assert said.startswith("Wrote a first configuration: ")
    (written,) = [path for path in tmp_path.iterdir() if str(path) in said]
    assert written.stat().st_mode & 0o777 == 0o600


def test_a_quiet_start_prints_nothing(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, quiet=True) == 0
    assert capsys.readouterr() == ("", "")


def test_what_an_earlier_run_left_is_named(
    tmp_path: Path,
    stages: Stages,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = type("Left", (), {"pid": 7, "command": "sleep 9"})
    monkeypatch.setattr(leftovers, "sweep", lambda prefix, but: [left])
    assert run(tmp_path) == 0
    assert "Ended what an earlier run had left: pid 7 (sleep 9)" in capsys.readouterr().out


def test_a_wrong_configuration_is_exit_78(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, quiet=True)
    (path,) = tmp_path.glob("*.json5")
    path.write_text("{ gateway: { prot: 1 } }")
    stages.did.clear()
    assert run(tmp_path) == 78
    said = capsys.readouterr().err
    assert said.startswith("trunkline: ")
    assert "prot" in said
    assert stages.did == ["zygote", "end"]


def test_a_second_daemon_is_refused_with_the_pid_of_the_first(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, quiet=True)
    stages.did.clear()
    with Instance(tmp_path):
        assert run(tmp_path) == 1
    assert f"pid {os.getpid()}" in capsys.readouterr().err
    assert stages.did == ["zygote", "end"]


def test_beside_another_daemon_no_first_configuration_is_written(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    with Instance(tmp_path):
        assert run(tmp_path) == 1
    assert "already runs" in capsys.readouterr().err
    assert list(tmp_path.glob("trunkline.*")) == []


def test_an_error_of_the_system_without_a_file_is_told_as_it_is(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_memory() -> int:
        raise OSError(12, "Cannot allocate memory")

    stages.serve = no_memory
    assert run(tmp_path, quiet=True) == 1
    assert capsys.readouterr().err == "trunkline: Cannot allocate memory\n"


def test_a_closed_terminal_is_no_reason_not_to_start(
    tmp_path: Path, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def write(self, text: str) -> None:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Broken())
    assert run(tmp_path) == 0
    assert "serve" in stages.did

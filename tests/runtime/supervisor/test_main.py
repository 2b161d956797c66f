from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.config.places import Flags
from runtime.supervisor import daemon, main, startup
from runtime.supervisor.instance import Instance
from runtime.supervisor.main import raise_file_limit, up
from runtime.supervisor.options import Options
from runtime.supervisor.processes import leftovers


class Stages:
    """What ``up`` does, step by step, instead of starting anything."""

    def __init__(self) -> None:
        self.did: list[Any] = []
        self.umasks: list[int] = []
        self.serve: Callable[[], int] = lambda: 0

    def zygote(self, run_id: str) -> Stages:
        self.did.append("zygote")
        return self

    def launcher(self, *, run_id: str, zygote: Stages) -> Stages:
        assert zygote is self
        self.did.append("launcher")
        return self

    def preload(self, modules: list[str]) -> None:
        self.did.append(modules)

    def close(self) -> None:
        self.did.append("close")

    def end(self) -> None:
        self.did.append("end")

    def served(self, options: Options, places: Any, loaded: Any, read: Any, **parts: Any) -> int:
        self.did.append("serve")
        assert read().revision == loaded.revision
        assert parts["instance"].boot > 0
        return self.serve()


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    found = Stages()
    monkeypatch.setattr(main, "Zygote", found.zygote)
    monkeypatch.setattr(startup, "Launcher", found.launcher)
    monkeypatch.setattr(startup, "become_subreaper", lambda: found.did.append("subreaper"))
    monkeypatch.setattr(main, "raise_file_limit", lambda: None)
    monkeypatch.setattr(os, "umask", found.umasks.append)
    monkeypatch.setattr(leftovers, "sweep", lambda prefix, but: [])
    monkeypatch.setattr(daemon, "serve", found.served)
    return found


def run(state: Path, **options: Any) -> int:
    flags = Flags(state_dir=state, port=18999)
    return up(Options(flags, version=lambda: "1", **options), {})


def test_a_first_start_writes_a_configuration_and_serves(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    assert stages.did == [
        "zygote",
        "subreaper",
        "launcher",
        ["workers.channels.local", "workers.channels.local.plugin"],
        "serve",
        "close",
        "end",
    ]
    said = capsys.readouterr().out
    assert said.startswith("Wrote a first configuration: ")
    (written,) = [path for path in tmp_path.iterdir() if str(path) in said]
    assert written.stat().st_mode & 0o777 == 0o600


def test_the_exit_code_is_the_daemons_and_what_it_raises_still_ends_the_zygote(
    tmp_path: Path, stages: Stages
) -> None:
    stages.serve = lambda: 1
    assert run(tmp_path, quiet=True) == 1

    def fail() -> int:
        raise RuntimeError("a bug")

    stages.serve = fail
    with pytest.raises(RuntimeError):
        run(tmp_path, quiet=True)
    assert stages.did[-2:] == ["close", "end"]
    with Instance(tmp_path):  # the lock is free again
        pass


def test_quiet_says_nothing(
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


def test_a_second_daemon_is_told_who_runs(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, quiet=True)
    stages.did.clear()
    with Instance(tmp_path):
        assert run(tmp_path) == 1
    assert f"pid {os.getpid()}" in capsys.readouterr().err
    assert stages.did == ["zygote", "end"]


def test_a_state_directory_that_cannot_be_is_named(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    assert run(blocked / "state") == 78  # there is no configuration, and it cannot be written
    assert str(blocked) in capsys.readouterr().err
    impossible = tmp_path / ("x" * 300)
    assert run(impossible) == 1
    assert f"{impossible}" in capsys.readouterr().err
    run(tmp_path / "good", quiet=True)
    (tmp_path / "good" / "boot").unlink()
    (tmp_path / "good" / "boot").mkdir()
    assert run(tmp_path / "good") == 1
    assert "boot" in capsys.readouterr().err


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


def test_the_limit_of_open_files_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

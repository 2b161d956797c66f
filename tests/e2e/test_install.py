"""A wheel in an environment of its own: what is in it, and that it runs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.commandline import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(*command: str | Path, **env: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=env or None)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", where, ROOT)
    return next(where.glob("trunkline-*.whl"))


def test_the_wheel_holds_our_packages_two_documents_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    beside = {top for top in tops if top.endswith((".dist-info", ".data"))}
    assert tops - beside == {"ipc", "workers", "runtime", "ops"}
    shared = {name.partition(".data/data/share/")[2] for name in names if ".data/" in name}
    assert shared == {"man/man1/trunkline.1", "doc/trunkline/CHANGELOG.md"}


def test_the_wheel_runs_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", venv)
    pins = ROOT / "constraints.txt"
    run(venv / "bin" / "python", "-m", "pip", "install", "--quiet", "-c", pins, wheel)
    program, env = venv / "bin" / "trunkline", {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    env |= {"TRUNKLINE_STATE_DIR": str(tmp_path / "state"), "TRUNKLINE_GATEWAY_PORT": "18997"}
    version = run(program, "version", **env)
    assert version.startswith("trunkline ")
    assert "0+source" not in version
    try:
        assert "is up" in run(program, "up", "--detach", **env)
        assert run(program, "chat", "local:demo", "-m", "hi", **env) == "echo: hi\n"
    finally:
        run(program, "down", **env)


@pytest.mark.slow  # what begins each run in a fresh checkout shows the same
def test_up_and_check_make_their_environment_from_nothing(tmp_path: Path) -> None:
    env = {"TRUNKLINE_VENV": str(tmp_path / "venv"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    env["PYTHON"] = sys.executable
    assert "Usage: trunkline up" in run(ROOT / "ops" / "up", "--help", **env)

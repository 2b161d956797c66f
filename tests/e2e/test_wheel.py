"""The wheel, installed away from the sources: its own files run, and they are enough."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from workers.registry import BUILT_IN
from workers.testing.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={"PATH": "/usr/bin:/bin", **env}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An environment with the wheel; what it depends on is lent by the one that runs the tests."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    wheels, venv = tmp_path / "wheels", tmp_path / "venv"
    build = ("wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT)
    run(*pip, *build, cwd=tmp_path, HOME=str(tmp_path))
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=tmp_path)
    (wheel,) = wheels.glob("trunkline-*.whl")
    install = ("--python", venv / "bin" / "python", "install", "--quiet", "--no-deps", wheel)
    run(*pip, *install, cwd=tmp_path, HOME=str(tmp_path))
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return venv


def test_the_wheel_runs_with_nothing_but_its_own_files(installed: Path, tmp_path: Path) -> None:
    env = {
        "HOME": str(tmp_path),
        "TRUNKLINE_STATE_DIR": str(tmp_path / "state"),
        "TRUNKLINE_GATEWAY_PORT": str(free_port()),
    }
    python, program = installed / "bin" / "python", installed / "bin" / "trunkline"
    script = """
import importlib, importlib.metadata, importlib.util
for name in ("ipc", "workers", "runtime", "ops"):
    print(importlib.import_module(name).__file__)
print(importlib.util.find_spec("tests"), importlib.util.find_spec("bench"))
from workers.registry import manifests
found = manifests()
print(*sorted(found), *found.warnings)
"""
    *places, absent, channels = run(python, "-c", script, cwd=tmp_path, **env).splitlines()
    assert all(place.startswith(str(installed)) for place in places), places
    assert (absent, channels) == ("None None", " ".join(sorted(BUILT_IN)))
    assert "is up" in run(program, "up", "--detach", cwd=tmp_path, **env)
    try:
        said = run(program, "chat", "local:demo", "-m", "hello", cwd=tmp_path, **env)
        assert said == "echo: hello\n"
        assert "local:demo" in run(program, "status", cwd=tmp_path, **env)
    finally:
        assert "stopped" in run(program, "down", cwd=tmp_path, **env)

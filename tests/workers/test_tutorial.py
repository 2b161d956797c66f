"""The tutorial of docs/tutorial-channel.md: its files as they stand there, its tests, its wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial-channel.md"
BLOCK = re.compile(r"^`(?P<name>[\w/.-]+)`,[^\n]*:\n\n```\w+\n(?P<text>.*?)^```$", re.M | re.S)
FILES = {
    "pyproject.toml",
    "trunkline_pigeon/__init__.py",
    "trunkline_pigeon/plugin.py",
    "tests/pigeon_fake.py",
    "tests/test_pigeon.py",
}
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the tutorial, where it says that they lie."""
    blocks = {found["name"]: found["text"] for found in BLOCK.finditer(PAGE.read_text())}
    assert set(blocks) == FILES
    for name, text in blocks.items():
        path = tmp_path / "trunkline-pigeon" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "trunkline-pigeon"


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.timeout(600)
def test_the_channel_of_the_tutorial_passes_the_tests_of_the_tutorial(project: Path) -> None:
    quick = ("-m", "not slow", "-q", "-p", "no:cacheprovider")
    told = run(sys.executable, "-m", "pytest", *quick, cwd=project)
    passed = re.search(r"(\d+) passed, 1 skipped, 1 deselected", told)
    assert passed, told[-2000:]
    assert int(passed[1]) > 20


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_of_the_tutorial_is_found_beside_trunkline(project: Path) -> None:
    """It is built with what pip fetches for that; the rest is lent by this environment."""
    run(*PIP, "wheel", "--quiet", ".", "--no-deps", "--wheel-dir", "dist", cwd=project)
    named = re.search(r"--with (dist/trunkline_pigeon\S+\.whl)", PAGE.read_text())
    assert named
    wheel = project / named[1]
    venv = project / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=project)
    python = venv / "bin" / "python"
    run(*PIP, "--python", python, "install", "--quiet", "--no-deps", wheel, cwd=project)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"))
    script = (
        "from workers.registry import manifests; found = manifests();"
        " print(found['pigeon'].package, found['pigeon'].manifest.text.limit, found.warnings)"
    )
    assert run(python, "-c", script, cwd=project.parent) == "trunkline-pigeon 280 []\n"

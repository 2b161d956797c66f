"""The plugin of pytest: what it costs a run that does not use it, and what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from workers.testing.pytest_plugin import MISSING

ROOT = Path(__file__).parents[3]


def run(*arguments: str, cwd: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_a_run_of_pytest_that_does_not_use_it_imports_nothing_for_it(tmp_path: Path) -> None:
    script = (
        "import pytest, sys; before = set(sys.modules);"
        " import workers.testing.pytest_plugin; print(*sorted(set(sys.modules) - before))"
    )
    told = run("-c", script, cwd=tmp_path)
    assert told.split() == ["workers", "workers.testing", "workers.testing.pytest_plugin"]


def test_the_installed_plugin_says_what_the_fixture_lacks(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine(account): pass\n")
    told = run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert MISSING[:60] in told.replace("\n", " ")

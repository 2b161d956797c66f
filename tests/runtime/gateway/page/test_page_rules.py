"""The rules of the console page: its pure modules, tested by Node's own runner where Node is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_rules_of_the_page() -> None:
    tests = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    run = subprocess.run(["node", "--test", *tests], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr

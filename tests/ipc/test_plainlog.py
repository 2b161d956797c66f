"""structlog is there, and what it would import to paint tracebacks is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_structlog_comes_without_rich() -> None:
    code = "import ipc.plainlog, sys; print('structlog' in sys.modules, 'rich' in sys.modules)"
    assert run(code) == "True False\n"


def test_rich_can_be_imported_afterwards() -> None:
    assert run("import ipc.plainlog, rich.console; print(rich.console.Console)").strip()


def test_rich_that_was_there_before_stays() -> None:
    assert run("import rich, ipc.plainlog, sys; print(sys.modules['rich'] is rich)") == "True\n"

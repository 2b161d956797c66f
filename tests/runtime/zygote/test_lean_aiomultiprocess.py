"""aiomultiprocess comes without managers of shared objects, which come when one is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
WITHOUT = """
import sys
from runtime.zygote.lean_aiomultiprocess import Process
assert "multiprocessing.managers" not in sys.modules
import aiomultiprocess, multiprocessing
assert Process is aiomultiprocess.Process
with multiprocessing.get_context("fork").Manager() as manager:
    assert list(manager.list([1, 2])) == [1, 2]
assert multiprocessing.managers is sys.modules["multiprocessing.managers"]
"""
WITH = """
import multiprocessing.managers
from runtime.zygote.lean_aiomultiprocess import Process
import aiomultiprocess
assert Process is aiomultiprocess.Process
assert issubclass(multiprocessing.managers.SyncManager, multiprocessing.managers.BaseManager)
"""


def run(code: str) -> tuple[int, str]:
    command = [sys.executable, "-c", code]
    env = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_managers_are_imported_when_one_is_made() -> None:
    assert run(WITHOUT) == (0, "")


def test_where_managers_are_imported_already_they_stay() -> None:
    assert run(WITH) == (0, "")

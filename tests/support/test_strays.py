"""Processes that a test has left behind, though they are not among its descendants."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.ordinary_user import ORDINARY, need_ordinary_user
from tests.support.strays import all_pids, end_strays, strays
from tests.support.until import until

# Starts a process that is no child of ours, and prints its number.
DETACHED = """
import subprocess, sys
sleeping = [sys.executable, "-c", "import time; time.sleep(60)", *sys.argv[1:]]
apart = {"start_new_session": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
print(subprocess.Popen(sleeping, **apart).pid)
"""


def detached(*arguments: str, as_user: tuple[str, ...] = (), **environ: str) -> int:
    done = subprocess.run(
        [*as_user, sys.executable, "-c", DETACHED, *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    return int(done.stdout)


@pytest.mark.parametrize("how", ["argument", "environment"])
@pytest.mark.parametrize("whose", ["ours", "another user's"])
async def test_what_names_the_directory_of_a_test_is_found_and_ended(
    short_path: Path, how: str, whose: str
) -> None:
    before = all_pids()
    if whose != "ours":
        need_ordinary_user()
        if not ORDINARY:
            pytest.skip("only root has other users")
    given = (f"--state-dir={short_path}/state",) if how == "argument" else ()
    more = {"TRUNKLINE_STATE_DIR": f"{short_path}/state"} if how == "environment" else {}
    pid = detached(*given, as_user=ORDINARY if whose != "ours" else (), **more)
    # its arguments and environment are empty until its execve has ended, which may be after Popen
    await until(lambda: list(strays([short_path], before)) == [pid])
    assert strays([Path(f"{short_path}er")], before) == {}
    assert strays([short_path], all_pids()) == {}
    assert list(end_strays([short_path], before, seconds=0)) == [pid]
    await until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")

"""The limits of an account's process, applied for real in a child."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import os, resource
from ipc.frames.bootstrap import WorkerBoot
from workers.process.limits import apply
apply(WorkerBoot(key="a:b", incarnation=1, token="", control="", data="", manifest="",
                 config={{}}, storage="", run_dir="", {fields}))
print(os.nice(0), *resource.getrlimit(resource.RLIMIT_NOFILE))
print(*resource.getrlimit(resource.RLIMIT_NPROC))
"""


def applied(fields: str) -> list[list[int]]:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(fields=fields)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [[int(word) for word in line.split()] for line in done.stdout.splitlines()]


def test_niceness_and_both_resource_limits_are_taken_on() -> None:
    files, processes = applied("niceness=3, open_files=100, processes=50")
    assert files == [3, 100, 100]
    assert processes == [50, 50]


def test_without_limits_everything_is_as_inherited() -> None:
    assert applied("") == applied("niceness=0, open_files=None, processes=None")


@pytest.mark.parametrize("more", [10**9])
def test_a_limit_above_the_hard_one_is_lowered_to_it(more: int) -> None:
    _, _, hard = applied("")[0]
    assert applied(f"open_files={more}")[0] == [0, min(hard, more), min(hard, more)]

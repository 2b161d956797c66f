"""The limits of a worker's process, applied for real in a child, and what it measures."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workers.process import resources

CODE = """
import os, resource
from ipc.frames.bootstrap import WorkerBoot
from workers.process.resources import apply_limits
apply_limits(WorkerBoot(key="a:b", incarnation=1, token="", control="", data="", manifest="",
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
    inherited = os.nice(0)
    files, processes = applied("niceness=3, open_files=100, processes=50")
    assert files == [min(inherited + 3, 19), 100, 100]
    assert processes == [50, 50]


def test_without_limits_everything_is_as_inherited() -> None:
    assert applied("") == applied("niceness=0, open_files=None, processes=None")


@pytest.mark.parametrize("more", [10**9])
def test_a_limit_above_the_hard_one_is_lowered_to_it(more: int) -> None:
    niceness, _, hard = applied("")[0]
    assert applied(f"open_files={more}")[0] == [niceness, min(hard, more), min(hard, more)]


def test_the_figures_are_those_of_this_process() -> None:
    assert resources.rss_bytes() > 1_000_000
    assert resources.cpu_seconds() > 0
    before = resources.open_files()
    with open("/dev/null", "rb"):
        assert resources.open_files() == before + 1


def test_a_process_without_free_descriptors_still_has_figures() -> None:
    script = """
import os, resource
from workers.process import resources
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        os.open("/dev/null", os.O_RDONLY)
except OSError:
    print(resources.open_files(), resources.rss_bytes() > 1_000_000)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "64 True\n", done.stderr


def test_the_figures_of_memory_include_the_programs_that_it_has_started() -> None:
    program = "kept = b'x' * (64 << 20); print(flush=True); input()"
    before = resources.rss_bytes(), resources.pss_bytes()
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        beside = resources.rss_bytes(), resources.pss_bytes()
        process.communicate(b"\n")
    assert min(more - less for less, more in zip(before, beside, strict=True)) > 60 << 20


def test_its_share_of_memory_is_at_most_what_is_resident() -> None:
    assert 1_000_000 < resources.pss_bytes() <= resources.rss_bytes()


def test_a_share_that_cannot_be_read_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", hidden)
    assert resources.pss_bytes() == 0

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ipc.procfs import rss_bytes
from runtime.supervisor.processes import vitals
from runtime.supervisor.processes.vitals import VMSTAT, MemoryKills
from tests.support.ordinary_user import ORDINARY, need_ordinary_user


def test_a_living_process_has_figures() -> None:
    assert (rss_bytes(os.getpid()) or 0) > 1_000_000
    assert (vitals.cpu_seconds(os.getpid()) or 0.0) > 0.0
    assert vitals.state(os.getpid()) == psutil.STATUS_RUNNING
    assert vitals.STOPPED == psutil.STATUS_STOPPED


def test_a_process_that_is_gone_has_none() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert rss_bytes(process.pid) is None
    assert vitals.cpu_seconds(process.pid) is None
    assert vitals.state(process.pid) is None
    assert vitals.parent_of(process.pid) is None


@pytest.mark.parametrize("error", [OSError(5, "gone"), ValueError("odd"), psutil.AccessDenied(1)])
def test_a_kernel_that_tells_nothing_costs_only_the_figure(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(pid: int) -> None:
        raise error

    monkeypatch.setattr(psutil, "Process", hidden)
    assert vitals.state(os.getpid()) is None


def test_parents_and_children_are_found_whatever_the_command_is_called() -> None:
    program = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b') R 1 (x'); print(); input()"
    process = subprocess.Popen(
        ["python3", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        assert vitals.parent_of(process.pid) == os.getpid()
        assert process.pid in vitals.children_of(os.getpid())
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # now it is a zombie
        assert process.pid in vitals.children_of(os.getpid())
    finally:
        process.kill()
        process.communicate()
    assert process.pid not in vitals.children_of(os.getpid())


def test_a_higher_count_of_memory_kills_is_returned_once(tmp_path: Path) -> None:
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("pgfault 3\noom_kill 4\nother 1\n")
    kills = MemoryKills(vmstat)
    assert not kills.increased()
    vmstat.write_text("oom_kill 5\n")
    assert kills.increased()
    assert not kills.increased()


@pytest.mark.parametrize("text", ["", "oom_kill\n", "oom_kill many\n", "pgfault 3\n"])
def test_a_kernel_that_does_not_count_reports_no_memory_kill(tmp_path: Path, text: str) -> None:
    (tmp_path / "vmstat").write_text(text)
    assert not MemoryKills(tmp_path / "vmstat").increased()
    assert not MemoryKills(tmp_path / "none").increased()


def test_this_kernel_counts_memory_kills() -> None:
    assert "oom_kill " in VMSTAT.read_text()


@pytest.mark.parametrize(
    ("used", "seconds", "percent"),
    [(0.5, 1.0, 50.0), (0.0, 1.0, 0.0), (-0.1, 1.0, 0.0), (1.0, 0.0, None), (1.0, -1.0, None)],
)
def test_a_share_of_a_core_is_never_negative(
    used: float, seconds: float, percent: float | None
) -> None:
    assert vitals.share_percent(used, seconds) == percent


def test_a_process_that_hides_its_environment_is_known_by_its_arguments() -> None:
    code = """
import os
from runtime.supervisor.processes import vitals
from runtime.zygote.prctl import forbid_inspection
forbid_inspection()
print(vitals.is_marked(os.getpid(), 'MARK=1'))
"""
    need_ordinary_user()
    for mark in ("MARK=1", "MARK=12"):
        done = subprocess.run(
            [*ORDINARY, sys.executable, "-c", code, mark], capture_output=True, text=True
        )
        assert done.stdout.split() == [str(mark == "MARK=1")], done.stderr


def test_a_process_that_has_just_been_started_shows_its_marks() -> None:
    """Without waiting, one in a hundred is seen between its program and its arguments."""
    for number in range(400):
        process = subprocess.Popen(["sleep", "60"], env={**os.environ, "MARK": str(number)})
        try:
            assert vitals.is_marked(process.pid, f"MARK={number}"), number
        finally:
            process.kill()
            process.wait()


def test_a_program_without_an_environment_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = subprocess.Popen(["sleep", "60"], env={})
    try:
        while not psutil.Process(process.pid).cmdline():
            os.sched_yield()
        vitals.marks(process.pid)  # now it has been waited for, if it had to be
        monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
        assert vitals.marks(process.pid) == [b""]
    finally:
        process.kill()
        process.wait()


def test_a_zombie_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    assert not vitals.is_marked(process.pid, "MARK=1")
    process.wait()


@pytest.mark.skipif(
    Path("/proc/2/comm").read_bytes() != b"kthreadd\n" if Path("/proc/2").exists() else True,
    reason="the threads of the kernel are in another pid namespace",
)
def test_a_thread_of_the_kernel_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    assert not vitals.is_marked(2, "MARK=1")

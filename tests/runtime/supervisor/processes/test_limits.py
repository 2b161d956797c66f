"""Changed limits reach a process that runs; the kernel and the processes are real."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.config.supervisor_model import AccountLimitsConfig
from runtime.supervisor.processes import limits as limits_module
from runtime.supervisor.processes.cgroups import GroupLimits, Unusable
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.limits import ProcessLimits, enable_groups, group_limits

NONE = AccountLimitsConfig()
LIMITED = AccountLimitsConfig(
    memory_soft_bytes=32 << 20, memory_hard_bytes=64 << 20, niceness=3, processes=20
)
SMALL = AccountLimitsConfig(niceness=3, open_files=100, processes=50)
PROGRAM = """
import threading, time
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print("here", flush=True)
time.sleep(600)
"""


class Running:
    """A process of two threads that leads its group."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"here\n"
        self.pid = self._process.pid
        self.reaped = False

    @property
    def niceness(self) -> set[int]:
        """Of all its threads, on top of ours."""
        threads = [int(each.name) for each in Path(f"/proc/{self.pid}/task").iterdir()]
        assert len(threads) == 2
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        return {os.getpriority(os.PRIO_PROCESS, thread) - ours for thread in threads}

    def limit(self, which: int) -> tuple[int, int]:
        return resource.prlimit(self.pid, which)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()
        self.reaped = True


@pytest.fixture
def process() -> Iterator[Running]:
    running = Running()
    yield running
    running.end()


def test_a_change_reaches_all_threads_and_both_resource_limits(process: Running) -> None:
    limits = ProcessLimits(process, NONE)
    limits.change(SMALL)
    assert limits.unmet == []
    ours = os.getpriority(os.PRIO_PROCESS, 0)  # this run may itself stand back for others
    assert process.niceness == {min(3, limits_module.HIGHEST - ours)}
    assert process.limit(resource.RLIMIT_NOFILE) == (100, 100)
    assert process.limit(resource.RLIMIT_NPROC) == (50, 50)


def test_only_what_differs_is_touched(process: Running) -> None:
    before = process.limit(resource.RLIMIT_NOFILE)
    ProcessLimits(process, SMALL).change(SMALL)  # it says that it has them, and so is left alone
    assert (process.niceness, process.limit(resource.RLIMIT_NOFILE)) == ({0}, before)


def test_what_is_taken_back_is_as_inherited_or_named(process: Running) -> None:
    """Which of both depends on what the kernel permits whoever runs this."""
    inherited = {
        "niceness": {0},
        "openFiles": process.limit(resource.RLIMIT_NOFILE),
        "processes": process.limit(resource.RLIMIT_NPROC),
    }
    limits = ProcessLimits(process, NONE)
    limits.change(SMALL)
    limits.change(NONE)
    now = {
        "niceness": process.niceness,
        "openFiles": process.limit(resource.RLIMIT_NOFILE),
        "processes": process.limit(resource.RLIMIT_NPROC),
    }
    kept = {"niceness": {3}, "openFiles": (100, 100), "processes": (50, 50)}
    assert now == {**inherited, **{name: kept[name] for name in limits.unmet}}


def test_what_is_not_permitted_is_named_until_it_is_not_wanted_any_more(
    process: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = ProcessLimits(process, NONE)
    limits.change(SMALL)

    def refused(*args: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "setpriority", refused)
    monkeypatch.setattr(resource, "prlimit", refused)
    limits.change(AccountLimitsConfig(niceness=1, open_files=200, processes=50))
    assert limits.unmet == ["niceness", "openFiles"]
    limits.change(SMALL)
    assert limits.unmet == []


def test_a_pid_that_may_be_a_strangers_is_left_alone(process: Running) -> None:
    process.reaped = True
    ProcessLimits(process, NONE).change(SMALL)
    assert process.niceness == {0}


def test_a_control_group_gets_what_it_can_enforce_of_an_accounts_limits() -> None:
    assert group_limits(LIMITED) == GroupLimits(32 << 20, 64 << 20, 20, 3)
    defaults = group_limits(NONE)
    assert (defaults.processes, defaults.niceness) == (None, 0)


def test_without_groups_the_limits_are_polled_and_the_launcher_knows_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def delegated() -> Path:
        raise Unusable("/x: not delegated to us")

    monkeypatch.setattr(limits_module, "delegated", delegated)
    launcher = Launcher(run_id="run-of-the-test")
    enable_groups(launcher)
    assert launcher.limits_by == "polling (/x: not delegated to us)"
    launcher.limit("irc:libera#7", group_limits(LIMITED))  # there is no group to change
    launcher.close()


def test_with_groups_the_launcher_has_them_and_changes_reach_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The files of the groups are plain ones here: real groups are tested in test_cgroups."""
    (tmp_path / "cgroup.controllers").write_text("memory pids cpu")
    (tmp_path / "cgroup.subtree_control").touch()
    place = tmp_path / f"trunkline-{os.getpid()}"
    place.mkdir()
    (place / "cgroup.subtree_control").touch()
    monkeypatch.setattr(limits_module, "delegated", lambda: tmp_path)
    launcher = Launcher(run_id="run-of-the-test")
    enable_groups(launcher)
    assert launcher.limits_by == f"control groups in {tmp_path}"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    launcher.close()

"""Changed limits reach a process that runs; the kernel and the processes are real."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ipc.frames.words import Phase
from runtime.config.model import AccountLimitsConfig
from runtime.supervisor.processes import confinement
from runtime.supervisor.processes.bounds import Bounds
from tests.support.accounts import Stage, account_of, living, spec_of, start

NONE = AccountLimitsConfig()
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
    bounds = Bounds(process, NONE)
    bounds.change(SMALL)
    assert bounds.unmet == []
    assert process.niceness == {3}
    assert process.limit(resource.RLIMIT_NOFILE) == (100, 100)
    assert process.limit(resource.RLIMIT_NPROC) == (50, 50)


def test_only_what_differs_is_touched(process: Running) -> None:
    before = process.limit(resource.RLIMIT_NOFILE)
    Bounds(process, SMALL).change(SMALL)  # it says that it has them, and so is left alone
    assert (process.niceness, process.limit(resource.RLIMIT_NOFILE)) == ({0}, before)


def test_what_is_taken_back_is_as_inherited_or_named(process: Running) -> None:
    """Which of both depends on what the kernel permits whoever runs this."""
    inherited = {
        "niceness": {0},
        "openFiles": process.limit(resource.RLIMIT_NOFILE),
        "processes": process.limit(resource.RLIMIT_NPROC),
    }
    bounds = Bounds(process, NONE)
    bounds.change(SMALL)
    bounds.change(NONE)
    now = {
        "niceness": process.niceness,
        "openFiles": process.limit(resource.RLIMIT_NOFILE),
        "processes": process.limit(resource.RLIMIT_NPROC),
    }
    kept = {"niceness": {3}, "openFiles": (100, 100), "processes": (50, 50)}
    assert now == {**inherited, **{name: kept[name] for name in bounds.unmet}}


def test_what_is_not_permitted_is_named_until_it_is_not_wanted_any_more(
    process: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = Bounds(process, NONE)
    bounds.change(SMALL)

    def refused(*args: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "setpriority", refused)
    monkeypatch.setattr(resource, "prlimit", refused)
    bounds.change(AccountLimitsConfig(niceness=1, open_files=200, processes=50))
    assert bounds.unmet == ["niceness", "openFiles"]
    bounds.change(SMALL)
    assert bounds.unmet == []


def test_a_pid_that_may_be_a_strangers_is_left_alone(process: Running) -> None:
    process.reaped = True
    Bounds(process, NONE).change(SMALL)
    assert process.niceness == {0}


async def test_an_account_binds_its_worker_after_the_hello_and_says_what_waits(
    process: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = account_of(Stage(), spec_of(limits=NONE))
    launcher: Any = SimpleNamespace(groups=None)
    async with living(account):
        await start(account)
        account.figures.bounds = Bounds(process, NONE)
        account.spec = spec_of(limits=SMALL)
        confinement.changed(launcher, [account])
        assert process.niceness == {0}  # it may still be about to take on the older ones
        account.figures.hello = True
        confinement.changed(launcher, [account])
        assert process.niceness == {3}
        assert confinement.waiting([account]) == []

        def refused(*args: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "setpriority", refused)
        account.spec = spec_of(limits=AccountLimitsConfig(open_files=100, processes=50))
        confinement.changed(launcher, [account])
        (said,) = confinement.waiting([account])
        assert said.startswith("local:demo: limits.niceness: counts from its next start")
        account.child.process.kill()  # type: ignore[union-attr]
        assert await account.settled(lambda state: state.phase is Phase.BACKOFF, 10.0)
        assert confinement.waiting([account]) == []

"""Programs of others are ended by their pidfds, politely first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from runtime.supervisor.processes.termination import (
    end_all,
    kill_and_reap,
    kill_and_reap_all,
    still_running,
)
from tests.support.tracer import tracing

DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"


class Program:
    """A running program and its pidfd."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.pidfd = os.pidfd_open(self.process.pid)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self.pidfd)


@pytest.fixture
def polite() -> Iterator[Program]:
    program = Program("sleep", "60")
    yield program
    program.close()


@pytest.fixture
def deaf() -> Iterator[Program]:
    program = Program(sys.executable, "-c", DEAF)
    assert program.process.stdout is not None
    program.process.stdout.readline()
    yield program
    program.close()


def test_a_program_that_listens_ends_by_itself(polite: Program) -> None:
    end_all([polite.pidfd], 10.0)
    assert polite.process.wait() == -signal.SIGTERM


def test_a_stopped_program_is_continued_so_that_it_notices(polite: Program) -> None:
    os.kill(polite.process.pid, signal.SIGSTOP)
    os.waitpid(polite.process.pid, os.WUNTRACED)
    end_all([polite.pidfd], 10.0)
    assert polite.process.wait() == -signal.SIGTERM


def test_one_that_does_not_listen_is_killed_after_the_grace(deaf: Program) -> None:
    begun = time.monotonic()
    end_all([deaf.pidfd], 0.2)
    assert time.monotonic() - begun >= 0.2
    assert deaf.process.wait() == -signal.SIGKILL


def test_what_has_ended_already_is_not_waited_for(polite: Program) -> None:
    polite.process.kill()
    polite.process.wait()
    begun = time.monotonic()
    end_all([polite.pidfd], 60.0)
    assert time.monotonic() - begun < 30.0


def test_only_what_is_still_there_is_returned(polite: Program, deaf: Program) -> None:
    polite.process.kill()
    assert still_running([polite.pidfd, deaf.pidfd], 0.2) == [deaf.pidfd]


def test_a_child_of_ours_is_killed_and_reaped_once() -> None:
    process = subprocess.Popen(["sleep", "60"])
    assert kill_and_reap(process.pid)
    assert not kill_and_reap(process.pid)
    process.returncode = 0  # it was reaped behind its back


def test_a_child_that_a_stranger_traces_is_left_for_a_later_try() -> None:
    process = subprocess.Popen(["sleep", "60"])
    with tracing(process.pid):
        assert not kill_and_reap(process.pid)
    assert kill_and_reap(process.pid)
    process.returncode = 0


def test_a_child_that_another_one_traces_goes_with_it() -> None:
    process = subprocess.Popen(["sleep", "60"])
    with tracing(process.pid) as tracer:
        assert kill_and_reap_all([process.pid, tracer.pid]) == 2
        process.returncode = tracer.returncode = 0

"""Helpers are tied to the process that starts them, can be ended whole, and are reaped by it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading

import pytest

from ipc.helpers import (
    PIPE,
    RUN_ID,
    end_helper,
    helpers_spared,
    read_output,
    start_helper,
    start_tracked,
)
from runtime.zygote.prctl import set_subreaper

STARTER = """
import sys
from ipc.helpers import start_helper
helper = start_helper(["sleep", "3600"], stdout=2)
print(helper.pid, flush=True)
if sys.argv[1] == "waits":
    helper.wait()
"""


@pytest.mark.parametrize("how", ["waits", "returns"])
def test_a_helper_ends_with_its_starter(how: str) -> None:
    set_subreaper()
    starter = subprocess.Popen([sys.executable, "-c", STARTER, how], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    with starter, starter.stdout:
        helper = int(starter.stdout.readline())
        if how == "waits":
            starter.kill()
    ended = os.waitid(os.P_PID, helper, os.WEXITED)  # ours now: it is an orphan
    assert ended is not None
    assert ended.si_status == signal.SIGKILL


def test_its_streams_and_environment_are_as_given() -> None:
    command = ["sh", "-c", 'read -r line; echo "$X $line"']
    helper = start_helper(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"X": "x", "PATH": os.defpath}
    )
    assert helper.communicate(b"typed\n")[0] == b"x typed\n"
    assert start_helper(["true"]).wait() == 0
    assert start_helper(["pwd"], stdout=subprocess.PIPE, cwd="/").communicate()[0] == b"/\n"


def test_a_helper_is_ended_with_all_that_it_started() -> None:
    reader, writer = os.pipe()
    helper = start_helper(["sh", "-c", "sleep 3600 & echo; wait"], stdout=writer)
    os.close(writer)
    assert os.read(reader, 10) == b"\n"
    end_helper(helper)
    assert helper.wait() == -signal.SIGKILL
    assert select.select([reader], [], [], 20)[0]  # nothing holds its output any more
    assert os.read(reader, 10) == b""
    os.close(reader)
    end_helper(helper)  # it has been waited for: nothing is killed


def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        start_helper(["/no/such/program"])


def test_a_helper_is_known_until_it_was_waited_for() -> None:
    process = start_tracked(lambda: subprocess.Popen(["cat"], stdin=subprocess.PIPE))
    with process, helpers_spared() as helpers:
        assert process.pid in helpers
    with helpers_spared() as helpers:
        assert process.pid not in helpers
    assert process.returncode == 0


def test_none_is_started_while_orphans_are_reaped() -> None:
    began, pids = threading.Event(), []

    def start() -> None:
        began.set()
        with start_tracked(lambda: subprocess.Popen(["true"])) as process:
            pids.append(process.pid)

    thread = threading.Thread(target=start)
    with helpers_spared():
        thread.start()
        began.wait()
        thread.join(0.05)
        assert pids == []
    thread.join()
    assert len(pids) == 1


@pytest.mark.parametrize("env", [None, {"A": "b"}])
def test_what_it_leaves_behind_can_be_found(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str] | None
) -> None:
    monkeypatch.setenv(RUN_ID, "run-1")
    with start_helper(["cat", "/proc/self/environ"], stdout=PIPE, env=env) as process:
        found = read_output(process, 60.0, 1 << 20)
    assert found is not None
    assert f"{RUN_ID}=run-1".encode() in found.split(b"\0")


@pytest.mark.parametrize(
    ("script", "seconds", "output"),
    [
        ("echo said", 60.0, b"said\n"),
        ("echo said; sleep 600 &", 60.0, b"said\n"),  # its exit ends the wait
        ("exec sleep 600", 0.1, None),
    ],
)
def test_what_it_prints_is_read_until_it_ends(
    script: str, seconds: float, output: bytes | None
) -> None:
    with start_helper(["sh", "-c", script], stdout=PIPE) as process:
        group = process.pid
        assert read_output(process, seconds, 1 << 20) == output
        os.killpg(group, signal.SIGKILL)


def test_no_more_is_read_than_may_be() -> None:
    with start_helper(["yes"], stdout=PIPE) as process:
        found = read_output(process, 60.0, 1000)
        end_helper(process)
    assert found is not None
    assert 1000 < len(found) <= 1000 + 64 * 1024

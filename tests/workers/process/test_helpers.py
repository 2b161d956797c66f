"""Helpers are tied to the process that starts them, and can be ended whole."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from runtime.zygote.prctl import become_subreaper
from workers.process.helpers import end_helper, start_helper

STARTER = """
import sys
from workers.process.helpers import start_helper
helper = start_helper(["sleep", "3600"], stdout=2)
print(helper.pid, flush=True)
if sys.argv[1] == "waits":
    helper.wait()
"""


@pytest.mark.parametrize("how", ["waits", "returns"])
def test_a_helper_ends_with_its_starter(how: str) -> None:
    become_subreaper()
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

"""The walk over real processes to the child of ours that they descend from."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from runtime.supervisor.processes.descent import child_above, has_ended
from runtime.zygote.prctl import set_subreaper

ORPHAN = """
import os, sys, time
middle = os.fork()
if not middle:
    os.setsid()
    if os.fork():
        os._exit(0)
    print(os.getpid(), flush=True)
    time.sleep(600)
os.waitpid(middle, 0)
{after}
"""


def run(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )


def test_a_child_and_what_it_started_lead_to_the_child() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        try:
            assert child_above(child.pid) == child_above(grandchild) == child.pid
        finally:
            os.kill(grandchild, 9)


def test_what_is_not_below_us_leads_nowhere() -> None:
    assert [child_above(pid) for pid in (os.getpid(), os.getppid(), 1)] == [None] * 3


def test_an_orphan_leads_to_the_nearest_subreaper_above_it() -> None:
    set_subreaper()
    for first, after, expected in (
        ("from runtime.zygote.prctl import set_subreaper; set_subreaper()", "", "child"),
        ("", "os._exit(0)", "orphan"),
    ):
        with run(first + ORPHAN.format(after=after or "sys.stdin.read()")) as child:
            assert child.stdout is not None
            assert child.stdin is not None
            orphan = int(child.stdout.readline())
            if expected == "orphan":
                child.wait()
            found = child_above(orphan)
            os.kill(orphan, 9)
            child.stdin.close()
            child.wait()
            assert found == {"child": child.pid, "orphan": orphan}[expected]
        if expected == "orphan":
            os.waitpid(orphan, 0)


def test_a_process_that_is_gone_cannot_be_known() -> None:
    child = subprocess.Popen(["true"])
    pidfd = os.pidfd_open(child.pid)
    child.wait()
    with pytest.raises(ProcessLookupError):
        child_above(child.pid)
    assert has_ended(pidfd)
    os.close(pidfd)
    own = os.pidfd_open(os.getpid())
    assert not has_ended(own)
    os.close(own)

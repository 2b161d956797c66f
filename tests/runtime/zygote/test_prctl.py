"""The kernel does what prctl(2) is asked for."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.zygote.prctl import prctl, set_name

COMM = Path("/proc/self/task") / str(os.getpid()) / "comm"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_a_call_that_fails_says_why() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        prctl(-1, 0)


def test_a_name_is_cut_to_what_the_kernel_keeps() -> None:
    before = COMM.read_bytes().strip()
    try:
        set_name(b"irc:a-long-account#12")
        assert COMM.read_bytes() == b"irc:a-long-acco\n"
    finally:
        set_name(before)


def test_a_subreaper_adopts_the_orphans_below_it() -> None:
    code = """
import os
from runtime.zygote.prctl import set_subreaper
set_subreaper()
me = os.getpid()
reader, writer = os.pipe()
if os.fork() == 0:
    middle = os.getpid()
    if os.fork() == 0:
        while os.getppid() == middle:
            os.sched_yield()
        os.write(writer, str(os.getppid()).encode())
    os._exit(0)
os.wait()
assert int(os.read(reader, 20)) == me
os.wait()
"""
    assert run(code).returncode == 0


def test_what_is_to_die_with_another_than_its_parent_exits_at_once() -> None:
    done = run("from runtime.zygote.prctl import die_with; die_with(1 << 22)")
    assert done.returncode == 1


def test_a_process_dies_with_its_parent() -> None:
    """The parent is killed, so that it can do nothing about it."""
    child = """
import os, sys, time
from runtime.zygote.prctl import die_with
die_with(int(sys.argv[1]))
print("ready", flush=True)
time.sleep(60)
"""
    code = f"""
import os, subprocess, sys
one = subprocess.Popen([sys.executable, "-c", {child!r}, str(os.getpid())], stdout=subprocess.PIPE)
one.stdout.readline()
print(one.pid, flush=True)
one.wait()
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, parent.stdout:
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([pidfd], [], [], 20)[0]
    finally:
        os.close(pidfd)


def test_what_forbids_inspection_is_hidden_with_its_forks_and_leaves_no_core() -> None:
    code = """
import ctypes, os, resource
from runtime.zygote.prctl import forbid_inspection
get_dumpable = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
before = get_dumpable()
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
forbid_inspection()
pid = os.fork()
if not pid:
    os._exit(10 + get_dumpable())
fork = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(before, get_dumpable(), fork, resource.getrlimit(resource.RLIMIT_CORE)[0])
"""
    done = run(code)
    assert done.stdout.split() == ["1", "0", "10", "0"], done.stderr

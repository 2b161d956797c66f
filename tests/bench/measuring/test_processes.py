"""CPU and memory of processes are those of the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.measuring.processes import cpu_ns, family, pss_bytes, until_quiet
from tests.support.commandline import ROOT, unmeasured
from tests.support.ordinary_user import ORDINARY, need_ordinary_user

GONE = 2**22 + 1  # no kernel gives such a pid


def test_an_ordinary_user_is_told_that_it_takes_root() -> None:
    need_ordinary_user()
    asked = "from bench.measuring.processes import *; print(may_measure()); must_measure()"
    done = subprocess.run(
        [*ORDINARY, sys.executable, "-P", "-c", asked],
        env=unmeasured({**os.environ, "PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "False\n")
    assert done.stderr.endswith("run it as root.\n")
    assert done.stderr.count("\n") == 1


def test_cpu_is_counted_in_nanoseconds_while_it_is_used() -> None:
    before, began = cpu_ns(os.getpid()), time.thread_time_ns()
    while time.thread_time_ns() < began + 5_000_000:
        pass
    assert 4_000_000 < cpu_ns(os.getpid()) - before < 500_000_000


def test_memory_that_is_touched_is_held() -> None:
    before = pss_bytes(os.getpid())
    held = bytearray(os.urandom(64 << 20))  # beside it the collector may free a few MiB
    assert pss_bytes(os.getpid()) - before > 48 << 20
    assert held


def test_children_are_of_the_family() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    try:
        assert {os.getpid(), child.pid} <= set(family(os.getpid()))
    finally:
        child.communicate()


def test_a_process_that_is_gone_costs_nothing_and_holds_no_memory() -> None:
    assert cpu_ns(GONE) == 0
    with pytest.raises(OSError, match=str(GONE)):
        pss_bytes(GONE)


BUSY = """
import sys, time
ends = time.monotonic() + float(sys.argv[1])
while time.monotonic() < ends:
    pass
print("quiet", flush=True)
time.sleep(3600)
"""


async def test_what_is_busy_is_waited_for_until_it_is_quiet() -> None:
    with busy(1.0) as process:
        await until_quiet([process.pid], windows=1)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        assert os.read(process.stdout.fileno(), 100) == b"quiet\n"


async def test_what_never_rests_is_an_error() -> None:
    with busy(3600) as process, pytest.raises(TimeoutError, match="not quiet within 0"):
        await until_quiet([process.pid], within=0.6)


@contextmanager
def busy(seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", BUSY, str(seconds)], stdout=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()

"""CPU and memory of processes are those of the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench.measuring.processes import cpu_ns, family, pss_bytes

GONE = 2**22 + 1  # no kernel gives such a pid


def test_cpu_is_counted_in_nanoseconds_while_it_is_used() -> None:
    before, began = cpu_ns(os.getpid()), time.thread_time_ns()
    while time.thread_time_ns() < began + 5_000_000:
        pass
    assert 4_000_000 < cpu_ns(os.getpid()) - before < 500_000_000


def test_memory_that_is_touched_is_held() -> None:
    before = pss_bytes(os.getpid())
    held = bytearray(os.urandom(8 << 20))
    assert pss_bytes(os.getpid()) - before > 6 << 20
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

"""The fields of a process are found whatever its command is called."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from ipc.procfs import pss_bytes, rss_bytes, stat_fields

MIB = 1 << 20
NAMES_ITSELF = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, b"a) T (b", 0, 0, 0)  # PR_SET_NAME
print(flush=True)
sys.stdin.read()
"""


def test_a_command_with_parentheses_moves_no_field() -> None:
    command = [sys.executable, "-c", NAMES_ITSELF]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        state, parent, *_ = stat_fields(process.pid)
        assert process.stdin is not None
        process.stdin.close()
    assert state in (b"R", b"S")
    assert int(parent) == os.getpid()


def test_a_process_that_is_gone_has_no_memory_and_no_fields() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert rss_bytes(process.pid) is None
    assert pss_bytes(process.pid) is None
    with pytest.raises(OSError, match="No such file"):
        stat_fields(process.pid)


def test_resident_memory_is_in_bytes() -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    own = rss_bytes()
    assert own is not None
    assert MIB < own <= peak + MIB
    assert abs((rss_bytes(os.getpid()) or 0) - own) < MIB


def test_without_a_free_descriptor_the_memory_is_unknown() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        assert rss_bytes() is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_shared_memory_is_divided_so_the_share_is_not_larger_than_what_is_resident() -> None:
    share, resident = pss_bytes(os.getpid()), rss_bytes(os.getpid())
    assert share is not None
    assert resident is not None
    assert 1_000_000 < share < 1.1 * resident

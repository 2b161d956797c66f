"""The fields of a process are found whatever its command is called."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from ipc import procfs
from ipc.procfs import anonymous_bytes, children, descendants, pss_bytes, rss_bytes, stat_fields

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
    assert anonymous_bytes(process.pid) is None
    assert descendants(process.pid) == []
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


def test_memory_that_belongs_to_nothing_else_is_less_than_all() -> None:
    kept = bytearray(os.urandom(1024)) * (8 << 10)
    certain, resident = anonymous_bytes(os.getpid()), rss_bytes(os.getpid())
    assert certain is not None
    assert resident is not None
    assert len(kept) < certain < resident


@pytest.mark.parametrize("kind", ["rss_bytes", "pss_bytes"])
def test_the_programs_below_a_process_count_with_it(kind: str) -> None:
    program = "kept = b'x' * (32 << 20); print(flush=True); input()"
    command = ["sh", "-c", '"$0" -c "$1"; exit 0', sys.executable, program]
    alone, together = getattr(procfs, kind), getattr(procfs, f"tree_{kind}")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        below = descendants(process.pid)
        assert children(process.pid) == below
        assert {process.pid, *below} <= set(descendants())
        assert together() - alone() > 32 * MIB
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    assert len(below) == 1


def test_of_a_process_that_forks_without_end_only_some_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(procfs, "MOST_BELOW", 3)
    started = [subprocess.Popen(["sleep", "60"]) for _ in range(5)]
    try:
        assert len(descendants()) == 3
    finally:
        for each in started:
            each.kill()
            each.wait()

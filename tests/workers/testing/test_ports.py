"""Ports of the servers of tests: below the kernel's, and each process's own."""

from __future__ import annotations

import itertools
import socket
from pathlib import Path

import pytest

from workers.testing.ports import FIRST, LAST, PARTS, SIZE, _in_turn, free_port

# private: its parts are what keeps processes of pytest-xdist apart, and this is one process
WORKERS = [*(f"gw{number}" for number in range(PARTS - 1)), ""]


def test_the_kernel_chooses_none_of_them() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert FIRST > 1024
    assert lowest > LAST


def test_no_two_processes_have_one_in_common() -> None:
    parts = [set(itertools.islice(_in_turn(name, 4711), SIZE)) for name in WORKERS]
    assert [len(part) for part in parts] == [SIZE] * PARTS
    assert len(set.union(*parts)) == SIZE * PARTS
    assert min(map(min, parts)) == FIRST
    assert max(map(max, parts)) <= LAST


def test_two_runs_begin_elsewhere_and_one_ends_where_it_began() -> None:
    first, other = (list(itertools.islice(_in_turn("gw1", pid), SIZE + 1)) for pid in (7, 8))
    assert first[0] != other[0]
    assert first[0] == first[SIZE]


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_is_taken_is_passed_over(kind: socket.SocketKind) -> None:
    one = free_port(kind)
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", one))
        others = {free_port(kind) for _ in range(SIZE)}
    assert one not in others
    assert len(others) > SIZE // 2

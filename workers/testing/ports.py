"""Chooses ports for the servers of tests, which no other process takes meanwhile.

A port that the kernel has chosen is free only until the next program asks the kernel for one. So
these lie below the kernel's range (``ip_local_port_range``, ip(7)), and each process of
pytest-xdist has a part of its own.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

FIRST, LAST = 20_000, 32_767
PARTS = 16  # for so many processes of pytest-xdist; the last one is for a process without it
SIZE = (LAST - FIRST + 1) // PARTS


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of 127.0.0.1 that is free, and that this process has not had for long.

    ``kind`` is ``SOCK_DGRAM`` for UDP. Raises ``OSError`` if no port of this process is free.
    """
    for port in itertools.islice(_ports, SIZE):
        with socket.socket(socket.AF_INET, kind) as probe:
            # A connection that has ended keeps its port for a minute, but not from a server.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError(f"no port of {SIZE} is free")


def _in_turn(worker: str, pid: int) -> Iterator[int]:
    """Yield the ports of a process again and again.

    Where it begins depends on its pid, because two runs of the tests may have the same part.
    """
    digits = worker.removeprefix("gw")
    part = int(digits) % (PARTS - 1) if digits.isdecimal() else PARTS - 1
    for number in itertools.count(pid):
        yield FIRST + part * SIZE + number % SIZE


_ports = _in_turn(os.environ.get("PYTEST_XDIST_WORKER", ""), os.getpid())

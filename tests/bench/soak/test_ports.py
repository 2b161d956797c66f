"""A port for a server that goes and comes is none that a client is given."""

from __future__ import annotations

import socket
from pathlib import Path

from bench.soak.ports import HOST, quiet_port


def test_a_quiet_port_is_free_and_below_the_kernel_s_own() -> None:
    port = quiet_port()
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert port < lowest
    with socket.socket() as sock:
        sock.bind((HOST, port))
        assert quiet_port() != port

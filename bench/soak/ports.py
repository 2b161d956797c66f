"""Finds ports that stay free while their server is away."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
RANGE = range(20_000, 32_000)  # below those that the kernel gives to clients


def quiet_port() -> int:
    """Return a port that is free, and that no client is given by chance.

    One that tries to connect to a free port of the kernel's own range may be given that very port,
    and then it talks to itself and keeps the server from coming back (RFC 793, simultaneous open).
    """
    for port in random.sample(RANGE, len(RANGE)):
        with socket.socket() as sock:
            try:
                sock.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")

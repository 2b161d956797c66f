"""The gateway's listening socket, opened by the supervisor so that it outlives every gateway.

Clients that come while a gateway restarts wait in the backlog instead of being refused.
A port that somebody else holds is reported with that program's name, never taken by force
unless the operator says so.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import time
from dataclasses import dataclass

import psutil

BACKLOG = 2048  # clients of one outage wait here; the kernel caps it at net.core.somaxconn
FORCE_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Holder:
    """A program that listens on a port."""

    pid: int
    command: str


class PortTaken(Exception):
    """The port is in use; ``holders`` says by whom, as far as this user may know."""

    def __init__(self, host: str, port: int, holders: list[Holder]) -> None:
        who = "; ".join(f"pid {held.pid} ({held.command})" for held in holders)
        super().__init__(
            f"port {port} on {host} is in use by {who or 'a program of another user'}; "
            "stop it, choose another port with --port, or end it with --force"
        )
        self.host = host
        self.port = port
        self.holders = holders


def address(bind: str) -> str:
    """Return the address to listen on for ``gateway.bind``: a word, or an IP address itself."""
    return {"loopback": "127.0.0.1", "auto": "127.0.0.1", "lan": "0.0.0.0"}.get(bind, bind)  # noqa: S104


def listen(host: str, port: int, *, force: bool = False) -> socket.socket:
    """Return a listening TCP socket; port 0 lets the kernel choose.

    Raises ``PortTaken`` when the port is in use. With ``force`` the programs that hold it
    are ended first (SIGTERM, after 5 s SIGKILL). ``OSError`` for an address that is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return _bind(family, host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    holders = holders_of(port)
    if not force or not holders:
        raise PortTaken(host, port, holders)
    end(holders)
    try:
        return _bind(family, host, port)
    except OSError:
        raise PortTaken(host, port, holders_of(port)) from None


def _bind(family: int, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def holders_of(port: int) -> list[Holder]:
    """Return the programs that listen on ``port``, as far as this user may see them."""
    found: dict[int, Holder] = {}
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status != psutil.CONN_LISTEN or tuple(connection.laddr)[1:2] != (port,):
            continue
        if connection.pid is None or connection.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(connection.pid)
            command = " ".join(process.cmdline())[:200] or process.name()
            found[connection.pid] = Holder(connection.pid, command)
    return list(found.values())


def end(holders: list[Holder]) -> None:
    """End programs for good: SIGTERM, then SIGKILL after 5 s. Signals go through pidfds.

    Blocks; it runs before the event loop does.
    """
    fds = []
    for holder in holders:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            fd = os.pidfd_open(holder.pid)
            fds.append(fd)
            signal.pidfd_send_signal(fd, signal.SIGTERM)
    deadline = time.monotonic() + FORCE_WITHIN
    for fd in fds:
        try:
            if not _gone(fd, max(0.0, deadline - time.monotonic())):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                _gone(fd, 1.0)
        finally:
            os.close(fd)


def _gone(pidfd: int, within: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(within * 1000))

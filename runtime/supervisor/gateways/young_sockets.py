"""Holds the slots in which the sockets of young connections outlive the gateway's process.

The supervisor makes them and passes them to each gateway. It reads nothing of their contents: see
``ipc.websocket.young_slots``.
"""

from __future__ import annotations

import fcntl
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from ipc.websocket.young import MAX_SLOTS, SLOT_BYTES

MIN_FILES = 1024  # that this process may open; where it may open fewer, accounts need them more

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL

log = structlog.get_logger("gateway")


class YoungHolders:
    """The slots of one gateway, kept from one of its processes to the next."""

    def __init__(self) -> None:
        self._fds: list[int] = []  # the shared memory, then a unix socket for each slot

    @contextmanager
    def carrier(self) -> Iterator[int | None]:
        """Yield a descriptor of a socket through which a process started now gets the slots.

        ``None`` where there are none: then a kill of the gateway costs its young connections.
        """
        try:
            ours, theirs = self._pack()
        except OSError as error:
            log.warning("young connections do not outlive the gateway", error=str(error))
            yield None
            return
        with ours, theirs:
            yield theirs.fileno()

    def _pack(self) -> tuple[socket.socket, socket.socket]:
        if not self._fds:
            self._open()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            socket.send_fds(ours, [b"1"], self._fds)
        except OSError:
            ours.close()
            theirs.close()
            raise
        return ours, theirs

    def _open(self) -> None:
        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < MIN_FILES:
            raise OSError(f"this process may open fewer than {MIN_FILES} files")
        try:
            self._fds.append(_memory())
            self._fds.extend(_slot() for _ in range(MAX_SLOTS))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close all slots: the connections in them end, unless a gateway has them."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()


def _memory() -> int:
    """Return shared memory of a fixed size: no gateway can take it from under the next one."""
    fd = os.memfd_create("young connections", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, MAX_SLOTS * SLOT_BYTES)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(fd)
        raise
    return fd


def _slot() -> int:
    """Return a unix socket that is connected to itself: it holds what is sent to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind("")  # the kernel gives it an abstract name, which nothing else can send to
        sock.connect(sock.getsockname())
        return sock.detach()

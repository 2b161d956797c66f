"""Monitors the connections of a bound socket, and ends unauthenticated or replaced ones.

ZeroMQ reports opened and closed connections on a monitor socket. It has no call that ends one, but
the descriptor is ours: after shutdown(2) on it ZeroMQ reads the end and frees the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import resource
import socket
import struct
from collections.abc import Callable, Iterable

import zmq

from ipc.zeromq.connection_table import ConnectionTable
from ipc.zeromq.socket import BYTE_BUDGET, Socket

UNPROVEN_SECONDS = 5.0  # a worker takes milliseconds; ZeroMQ itself waits for 30 s
MOST_UNPROVEN = 1024  # and at most a quarter of the files that there may be
CHECK_SECONDS = 1.0  # between two checks while there are unproven ones
COST = 64  # of one event, against the budget of a turn

_ACCEPTED = int(zmq.EVENT_ACCEPTED)
_DISCONNECTED = int(zmq.EVENT_DISCONNECTED)
_MALFORMED = int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
_EVENT = struct.Struct("=HI")
_CREDENTIALS = struct.Struct("=iII")
_NOBLOCK = int(zmq.NOBLOCK)
_numbers = itertools.count()


class Connections(Socket):
    """The connections of one bound socket, monitored from ``follow`` on.

    ``on_closed(fd)`` is called when one has ended, ``on_malformed(pid)`` if it ended because its
    process does not speak ZMTP or offers another mechanism, ``on_crowd()`` while many
    connections are unauthenticated.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        on_closed: Callable[[int], None],
        on_malformed: Callable[[int], None],
        on_crowd: Callable[[], None] = lambda: None,
    ) -> None:
        # Unbounded: ZeroMQ's thread waits where it cannot report.
        super().__init__(
            zmq.PAIR, hwm=0, byte_budget=BYTE_BUDGET, max_bytes=-1, on_error=None, context=context
        )
        self._on_closed = on_closed
        self._on_malformed = on_malformed
        self._on_crowd = on_crowd
        self._malformed = False  # the connection that is reported next as gone
        self._path = ""
        self._timer: asyncio.TimerHandle | None = None
        self._followed: zmq.Socket[bytes] | None = None
        self.table = ConnectionTable(_most_unproven(), UNPROVEN_SECONDS)

    def follow(self, bound: zmq.Socket[bytes], path: str) -> None:
        """Monitor the connections of this socket, which is bound to ``path`` or beside it."""
        endpoint = f"inproc://connections.{next(_numbers)}"
        bound.monitor(endpoint, _ACCEPTED | _DISCONNECTED | _MALFORMED)
        self._followed, self._path = bound, path
        self._open()
        self._socket.connect(endpoint)
        self._watch()

    def close(self) -> None:
        """Stop monitoring. Call it before the socket is closed, whose thread may still report."""
        if self._timer is not None:
            self._timer.cancel()
        if self._followed is not None:
            self._followed.monitor(None, 0)  # libzmq's way to end it
            self._followed = None
            super().close()

    def catch_up(self) -> None:
        """Read all pending reports; a connection is reported before its handshake."""
        while not self._read(BYTE_BUDGET):
            pass

    def end(self, fds: Iterable[int]) -> None:
        """End connections; each is reported as closed once its data is read."""
        for fd in fds:
            with contextlib.suppress(OSError), _connection(fd) as connection:
                # The number may be another file's by now.
                ours = connection.getsockname().startswith(self._path)
                if ours and _pid(connection) == self.table.pid(fd):
                    connection.shutdown(socket.SHUT_RDWR)

    def _read(self, budget_bytes: int) -> bool:
        while budget_bytes > 0:
            try:
                event, _ = self._socket.recv_multipart(_NOBLOCK)
            except zmq.Again:
                self._end_overdue()
                return True
            budget_bytes -= COST
            self._on_event(*_EVENT.unpack(event))
        return False

    def _on_event(self, event: int, fd: int) -> None:
        if event == _ACCEPTED:
            with contextlib.suppress(OSError), _connection(fd) as connection:
                self.table.on_opened(fd, _pid(connection), self._loop.time())
            if self.table.crowded:
                self._on_crowd()
        elif event == _MALFORMED:
            self._malformed = True
        elif event == _DISCONNECTED:
            malformed, self._malformed = self._malformed, False
            pid = self.table.on_closed(fd)
            if malformed:
                self._on_malformed(pid or 0)
            self._on_closed(fd)

    def _end_overdue(self) -> None:
        """End unauthenticated connections that are too old or too many."""
        if self.table.unproven:
            self.end(self.table.overdue(self._loop.time()))
            if self._timer is None:
                self._timer = self._loop.call_later(CHECK_SECONDS, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.catch_up()


def _connection(fd: int) -> socket.socket:
    """Duplicate the descriptor of a connection, so that it cannot be reused meanwhile.

    Raises ``OSError`` if the number is no longer a socket's.
    """
    another = os.dup(fd)
    try:
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=another)
    except OSError:
        os.close(another)
        raise


def _pid(connection: socket.socket) -> int:
    """Return the peer process; 0 if it is in another pid namespace."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[0])


def _most_unproven() -> int:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_UNPROVEN if files < 0 else min(MOST_UNPROVEN, max(16, files // 4))

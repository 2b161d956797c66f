"""Reads a plain ZeroMQ socket on the event loop, within a budget per iteration.

``zmq.asyncio`` costs 25-30 times as much per message. Without it one rule must be kept, which this
module does: ``ZMQ_FD`` is edge-triggered, so the socket must be checked again after every send and
after every read that stops early; otherwise the link stalls for ever.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
from collections.abc import Callable
from pathlib import Path

import zmq

from ipc.endpoints import BINDING_SUFFIX_BYTES, check_path
from ipc.errors import EndpointError, FrameError
from ipc.socket_files import SocketIdentity, identity

HWM = 1000  # messages per peer and direction
OVERHEAD_BYTES = 64  # a message costs the budget this much more, or empty ones were free
BYTE_BUDGET = 128 * 1024  # read per loop turn, so that a flood leaves others their turn
MAX_BYTES = 2 * 1024 * 1024  # of one message; a peer that sends a larger one is disconnected
BACKLOG = 512  # connections that wait; a worker that finds no room tries again soon
BACKLOG_SHARE = 16  # at most this part of the open files, because ZeroMQ takes all of them at once

OnError = Callable[[Exception], None]

_context: zmq.Context[zmq.Socket[bytes]] | None = None
_bindings = itertools.count()
_sockets = 0  # in the shared context, which ends with the last of them: nothing hangs at exit


class Socket:
    """Base of the sockets. ``errors`` counts the calls of ``on_error``.

    For ``linger_ms`` after the close the last messages may still be sent. The socket is created by
    ``_open`` in ``context``, which the owner ends; by default in the shared context.
    """

    def __init__(
        self,
        kind: int,
        *,
        hwm: int,
        byte_budget: int,
        max_bytes: int,
        on_error: OnError | None,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        linger_ms: int = 0,
    ) -> None:
        self.errors = 0
        self.closed = False
        self.max_bytes = max_bytes
        self._loop = asyncio.get_running_loop()
        self._byte_budget = byte_budget
        self._on_error = on_error
        self._draining = False
        self._scheduled = False
        self._kind = kind
        self._hwm = hwm
        self._context = context
        self._linger_ms = linger_ms

    def _open(self) -> None:
        """Create the socket, in ``_context`` or in the shared context."""
        self._socket = _open(self._kind, self._context)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, self._hwm),
            (zmq.RCVHWM, self._hwm),
            (zmq.MAXMSGSIZE, self.max_bytes),
            (zmq.BACKLOG, backlog()),
        ):
            self._socket.setsockopt(option, value)
        self._recv = self._socket.recv
        self._send = super(zmq.Socket, self._socket).send  # below pyzmq's Python wrapper
        self._fd: int = self._socket.getsockopt(zmq.FD)  # type: ignore[assignment]

    def close(self) -> None:
        """Close at once; unsent messages that may not linger are dropped. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self._shut()

    def _shut(self) -> None:
        self._loop.remove_reader(self._fd)
        _close(self._socket, self._linger_ms, self._context)

    def _watch(self) -> None:
        """Watch the socket; the first read is unconditional, because a first edge may be lost."""
        self._loop.add_reader(self._fd, self._drain)
        self._schedule_read()

    def _schedule_read(self) -> None:
        """Schedule a read in the next loop iteration, once per iteration."""
        if not self._scheduled and not self._draining:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        """Read up to the byte budget; the rest in the next iteration."""
        self._scheduled = False
        if self.closed or self._draining:
            return
        self._draining = True
        try:
            dry = self._read(self._byte_budget)
        finally:
            self._draining = False
        if not dry:
            self._schedule_read()

    def _read(self, budget_bytes: int) -> bool:
        """Deliver queued messages; return ``True`` if none is left or the socket is closed."""
        raise NotImplementedError

    def _report_error(self, error: Exception) -> None:
        self.errors += 1
        if self._on_error is not None:
            self._on_error(error)
        else:
            self._loop.call_exception_handler(
                {"message": f"{type(self).__name__}: {error}", "exception": error}
            )


def bind(socket: zmq.Socket[bytes], path: Path) -> SocketIdentity | None:
    """Bind beside ``path``, then rename, so that a leftover file is replaced atomically.

    An old binder that closes late unlinks the name that it bound, never the new socket; and there
    is always a file, without which a connecting peer would wait longer.
    """
    suffix = f".{os.getpid():x}{next(_bindings) % 256:02x}"
    beside = path.with_name(path.name + suffix[-BINDING_SUFFIX_BYTES:])
    check_path(beside)
    if os.path.lexists(path) and not path.is_socket():
        raise EndpointError(f"{path}: exists and is not a socket")
    try:
        socket.bind(f"ipc://{beside}")
        os.rename(beside, path)
    except (OSError, zmq.ZMQError) as error:
        beside.unlink(missing_ok=True)
        raise EndpointError(f"{path}: {error.strerror}") from None
    return identity(path)


def too_large(body: bytes, most: int) -> FrameError:
    """Return the error for a message that the other end would not take."""
    return FrameError(f"message of {len(body)} bytes, at most {most} go")


def backlog() -> int:
    """Return how many connections may wait to be accepted."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return BACKLOG if files < 0 else min(BACKLOG, max(4, files // BACKLOG_SHARE))


def _open(kind: int, context: zmq.Context[zmq.Socket[bytes]] | None = None) -> zmq.Socket[bytes]:
    global _context, _sockets
    if context is not None:
        return context.socket(kind)
    if _context is None:
        _context = zmq.Context()
    socket: zmq.Socket[bytes] = _context.socket(kind)
    _sockets += 1
    return socket


def _close(
    socket: zmq.Socket[bytes],
    linger_ms: int,
    context: zmq.Context[zmq.Socket[bytes]] | None = None,
) -> None:
    global _context, _sockets
    socket.close(linger=linger_ms)
    if context is not None:
        return
    _sockets -= 1
    if _sockets == 0 and _context is not None:
        _context.term()  # cannot hang: no socket is open, none is a monitor, none lingers long
        _context = None

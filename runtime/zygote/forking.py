"""Forks a process twice, so that the supervisor adopts it and becomes its parent.

The base zygote (``server``) and those of channels (``channel``) use it. It must import little: it
is among the first modules that a new zygote runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from runtime.zygote.child import MAX_REQUEST_BYTES, ForkMain, run_child

MAX_FDS = 16

_held = ctypes.PyDLL(None, use_errno=True)  # does not release the interpreter's lock


def receive(requests: socket.socket) -> tuple[bytes, list[int]]:
    """Receive the next request and its descriptors; it is empty if the supervisor has ended."""
    try:
        message, fds, _, _ = socket.recv_fds(requests, MAX_REQUEST_BYTES, MAX_FDS)
    except ConnectionError:
        return b"", []
    return message, fds


def answer_fork(
    requests: socket.socket,
    request: dict[str, Any],
    fds: list[int],
    supervisor: int,
    run: ForkMain,
) -> None:
    """Fork the child that ``request`` describes, in which ``run`` is called, and send the answer.

    The answer is the pid in 8 bytes, or text that says why there is no process. Closes ``fds``.
    """
    try:
        pid = _fork_twice(requests, request, fds, supervisor, run)
        reply = struct.pack("q", pid)
    except OSError as error:  # EAGAIN: no more processes; the supervisor backs off
        reply = f"fork: {error.strerror}".encode()
    for each in fds:
        os.close(each)
    requests.send(reply)


def _fork_twice(
    requests: socket.socket,
    request: dict[str, Any],
    fds: list[int],
    supervisor: int,
    run: ForkMain,
) -> int:
    """Fork a child that the supervisor adopts; return its pid, or raise ``OSError``."""

    def in_child(middle: int) -> None:
        requests.close()
        run_child(request, fds, middle, supervisor, run)

    reader, writer = os.pipe()
    try:
        between = _plain_fork()
        if between == 0:
            _fork_again(reader, writer, in_child)
        os.waitpid(between, 0)
        os.close(writer)
        writer = -1
        answer = os.read(reader, 8)
        if len(answer) != 8:
            raise BlockingIOError(11, "no process could be forked")
        pid: int = struct.unpack("q", answer)[0]
        return pid
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)


def _fork_again(reader: int, writer: int, in_child: Callable[[int], None]) -> None:
    """Fork the child, write its pid to ``writer``, and end this intermediate process.

    The child is never in the zygote's process group: that may be killed as a whole once the answer
    is sent, and the child may not have called ``setsid`` by then.
    """
    with contextlib.suppress(BaseException):
        os.setsid()
        middle = os.getpid()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os.close(writer)
            in_child(middle)
        os.write(writer, struct.pack("q", child))
    os._exit(0)


def forks_survive() -> bool:
    """Return whether processes forked from this one survive, by forking one like a worker.

    A library may run code in every process that is forked after its import
    (``os.register_at_fork``), which may end it. Raises ``OSError`` if no process can be forked.
    """
    between = _plain_fork()
    if between == 0:
        sound = False
        with contextlib.suppress(BaseException):
            child = os.fork()
            if child == 0:
                os._exit(0)
            sound = os.waitpid(child, 0)[1] == 0
        os._exit(0 if sound else 1)
    return os.waitpid(between, 0)[1] == 0


def _plain_fork() -> int:
    """Call the C library's fork(3), for the intermediate process only; raises ``OSError``.

    ``os.fork`` would also run the hooks that logging, random and threading register for every
    child, which take longer than this process lives.
    """
    pid: int = _held.fork()
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return pid

"""Forks a process twice, so that the supervisor adopts it and becomes its parent.

Both kinds of zygote use it: the base zygote (``server``) and those of channels (``channel``).
It must import little: it is among the first things that a new zygote runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from runtime.zygote.child import MAX_REQUEST_BYTES, ForkMain, become

MAX_FDS = 16

_held = ctypes.PyDLL(None, use_errno=True)  # does not release the interpreter's lock


def receive(requests: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next request and its descriptors; an empty one when the supervisor has ended."""
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
    """Fork the child that ``request`` describes, which does ``run``, and send the answer.

    That is a pid of 8 bytes, or text that says why there is no process. Closes ``fds``.
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
        become(request, fds, middle, supervisor, run)

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
            raise BlockingIOError(11, "no process to be had")
        pid: int = struct.unpack("q", answer)[0]
        return pid
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)


def _fork_again(reader: int, writer: int, in_child: Callable[[int], None]) -> None:
    """Fork the child, write its pid to ``writer``, and end this process between two forks.

    The child is never in the process group of the zygote: that may be killed as soon as its answer
    is there, with its whole group, and the child may not have come to its own ``setsid`` by then.
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
    """Return whether a process that is forked from this one as a worker is would live.

    A library may do something in every process that is forked after its import
    (``os.register_at_fork``), and end it. Raises ``OSError`` where no process is to be had.
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
    """Fork as fork(3) does, for the process between two forks alone; raises ``OSError``.

    ``os.fork`` would first run in it what logging, random and threading want run in every
    child: that takes longer than all that this process lives for.
    """
    pid: int = _held.fork()
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return pid

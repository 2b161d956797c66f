"""Runs the zygote: a process that has imported what workers share, and forks them on request.

It is a process of its own so that a fork is cheap and clean: no threads, no ZeroMQ context, no
event loop, no secrets. It forks twice, so that each child is orphaned at once and adopted by the
supervisor (a child subreaper, prctl(2)); the child then ties its life to the supervisor's by
PR_SET_PDEATHSIG. So when this process dies its children live on, and when the supervisor dies
all of them end. This process is then the last: it ends what its children had started and left
behind, which no signal of the kernel reaches.

This module must import fast and little: it is the first thing a new zygote runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from runtime.zygote.child import MAX_REQUEST_BYTES, become
from runtime.zygote.prctl import die_with, forbid_inspection, live_on, set_name
from runtime.zygote.sharing import share

MAX_FDS = 16

# What workers and the gateway share. Each module is preloaded on its own: one that cannot be
# imported spoils only those that need it.
BASE = ("uvloop", "zmq", "orjson", "msgspec", "ipc.plainlog", "aiomultiprocess.core")
# The last is where the class of the pickled process object lives: imported in each child it
# would cost every one of them 2.6 MiB and some milliseconds.
OURS = ("workers.process.worker", "runtime.gateway.main", "runtime.zygote.forked")

# The module with ``end_run``: what is done when the supervisor has died.
SWEEPER = "runtime.supervisor.processes.leftovers"

_held = ctypes.PyDLL(None, use_errno=True)  # does not release the interpreter's lock


def main(fd: int, supervisor: int) -> None:
    """Serve requests on the socket ``fd`` until the supervisor closes its end or ends.

    A request is one message of JSON: ``preload`` with ``modules`` or ``forget`` with the
    ``names`` of variables, which have no answer, or ``spawn`` with ``name``, ``env`` and the
    names of its ``fds``, which come along as descriptors. Its answer is a pid of 8 bytes, or
    text that says why there is no process.
    """
    forbid_inspection()  # of its forks too: what starts them comes through descriptors it is sent
    os.setsid()  # Ctrl-C is for the supervisor
    die_with(supervisor)
    set_name(b"tl zygote")
    requests = socket.socket(fileno=fd)
    requests.set_inheritable(False)
    _preload([*BASE, *OURS, SWEEPER])
    shared = False
    while True:
        # Here it cannot hang, and learns of the supervisor's death by the end of its socket.
        live_on()
        message, fds = _receive(requests)
        if not message:
            _end_run()
        request = json.loads(message)
        if request["kind"] == "preload":
            die_with(supervisor)  # an import may take for ever
            _preload(request["modules"])
            shared = False
            continue
        if request["kind"] == "forget":
            forget(request["names"])
            continue
        if not shared:  # once for all that is imported at the start, which takes milliseconds
            share()
            shared = True
        try:
            pid = _fork_twice(requests, request, fds, supervisor)
            reply = struct.pack("q", pid)
        except OSError as error:  # EAGAIN: no more processes; the supervisor backs off
            reply = f"fork: {error.strerror}".encode()
        for each in fds:
            os.close(each)
        requests.send(reply)


def _receive(requests: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next request and its descriptors; an empty one when the supervisor has ended."""
    try:
        message, fds, _, _ = socket.recv_fds(requests, MAX_REQUEST_BYTES, MAX_FDS)
    except ConnectionError:
        return b"", []
    return message, fds


def _end_run() -> NoReturn:
    """End what is left of this run, whose supervisor has died, and this process."""
    try:
        importlib.import_module(SWEEPER).end_run(os.environ["TRUNKLINE_RUN_ID"])
    finally:
        os._exit(0)


def forget(names: Sequence[str]) -> None:
    """Remove variables from the environment of this process, and so of its later forks.

    The kernel shows the environment as the process was started with it, in
    ``/proc/self/environ``: there the values are overwritten.
    """
    for name in names:
        os.environ.pop(name, None)
    start, end = _environment_block()
    at = start
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        key, equals, value = entry.partition(b"=")
        if equals and os.fsdecode(key) in names:
            ctypes.memset(at + len(key) + 1, 0, len(value))
        at += len(entry) + 1


def _environment_block() -> tuple[int, int]:
    """Return where in memory the first environment of this process lies (proc_pid_stat(5))."""
    with open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()  # from the third field on
    return int(fields[47]), int(fields[48])  # env_start, env_end


def _preload(modules: list[str]) -> None:
    """Import modules for all later children; one that fails is reported and skipped."""
    gc.disable()  # imports make hardly any garbage, and to look for it takes a tenth of the time
    for module in modules:
        try:
            importlib.import_module(module)
        except BaseException as error:  # noqa: BLE001 - an SDK may raise anything, SystemExit too
            sys.stderr.write(f"zygote: {module} is not preloaded: {error!r}\n")
    gc.enable()


def _fork_twice(
    requests: socket.socket, request: dict[str, Any], fds: list[int], supervisor: int
) -> int:
    """Fork a child that the supervisor adopts; return its pid, or raise ``OSError``."""
    reader, writer = os.pipe()
    try:
        between = _plain_fork()
        if between == 0:
            with contextlib.suppress(BaseException):
                middle = os.getpid()
                child = os.fork()
                if child == 0:
                    os.close(reader)
                    os.close(writer)
                    requests.close()
                    become(request, fds, middle, supervisor)
                os.write(writer, struct.pack("q", child))
            os._exit(0)
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

"""The zygote by itself, over its socket; what it forks for the launcher is in ``test_process``."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.zygote.prctl import set_subreaper

LIVE = "from runtime.zygote.server import main; main({fd}, {supervisor})"


@contextmanager
def zygote(
    supervisor: int | None = None, path: Path = Path(), first: str = ""
) -> Iterator[tuple[socket.socket, int]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    set_subreaper()
    call = first + LIVE.format(fd=theirs.fileno(), supervisor=supervisor or os.getpid())
    process = subprocess.Popen(
        [sys.executable, "-c", call],
        pass_fds=[theirs.fileno()],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(path)])},
    )
    theirs.close()
    ours.settimeout(30)
    with ours, process:
        try:
            yield ours, process.pid
        finally:
            process.kill()


def test_a_broken_sdk_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "leaving_sdk.py").write_text("raise SystemExit(3)")
    with zygote(path=tmp_path) as (requests, _):
        modules = ["no.such.sdk", "leaving_sdk"]
        requests.send(json.dumps({"kind": "preload", "modules": modules}).encode())
        reap(fork(requests))


def test_it_ends_when_the_supervisor_closes_its_end() -> None:
    with zygote() as (requests, pid):
        pidfd = os.pidfd_open(pid)
        requests.shutdown(socket.SHUT_RDWR)
        assert select.select([pidfd], [], [], 20)[0]
        os.close(pidfd)


def test_it_does_not_serve_a_supervisor_that_is_gone_already() -> None:
    with zygote(supervisor=1) as (requests, _):
        assert requests.recv(10) == b""


def test_what_it_forks_is_ours_and_ends_without_a_bootstrap() -> None:
    """Its pid may get lost with the zygote: it must not live on unknown."""
    with zygote() as (requests, _):
        assert reap(fork(requests)) == (os.CLD_EXITED, 1)


def test_a_host_that_cannot_fork_is_reported() -> None:
    full = """
import ctypes
from runtime.zygote import forking
class Full:
    def fork(self):
        ctypes.set_errno(11)
        return -1
forking._held = Full()
"""
    with zygote(first=full) as (requests, _):
        assert answer(requests) == b"fork: Resource temporarily unavailable"
        assert answer(requests) == b"fork: Resource temporarily unavailable"  # it lives


def reap(pid: int) -> tuple[int, int]:
    how = os.waitid(os.P_PID, pid, os.WEXITED)
    assert how is not None
    return how.si_code, how.si_status


def fork(requests: socket.socket) -> int:
    """Have a child forked whose bootstrap ends before it began; return its pid."""
    pid: int = struct.unpack("q", answer(requests))[0]
    return pid


def answer(requests: socket.socket) -> bytes:
    """Return the answer to a request for such a child."""
    reader, writer = os.pipe()
    os.close(writer)
    nothing = os.open(os.devnull, os.O_RDWR)
    request = {"kind": "spawn", "name": "irc:a#1", "env": {}, "fds": []}
    socket.send_fds(requests, [json.dumps(request).encode()], [reader, nothing, nothing, nothing])
    os.close(reader)
    os.close(nothing)
    return requests.recv(100)

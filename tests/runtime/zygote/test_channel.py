"""The zygote of a channel by itself, over its socket, as the supervisor speaks with it."""

from __future__ import annotations

import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.zygote.test_server import fork, reap, zygote
from tests.support.channel_packages import install
from tests.support.spawned import gone

NAME = "made_up"


class ChannelProcess:
    """What a base zygote has forked: its pid, our end of its socket, and its report."""

    def __init__(self, base: socket.socket, *modules: str) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        request = {"kind": "channel", "name": "zygote-x#1", "env": {}, "fds": ["requests"]}
        message = json.dumps(request | {"modules": modules}).encode()
        nothing = os.open(os.devnull, os.O_RDWR)
        with theirs:
            socket.send_fds(base, [message], [nothing] * 4 + [theirs.fileno()])
        os.close(nothing)
        self.pid: int = struct.unpack("q", base.recv(100))[0]
        self.report: dict[str, Any] = json.loads(self.socket.recv(4096))

    def check(self) -> bytes:
        self.socket.send(b'{"kind": "check"}')
        return self.socket.recv(100)

    def end(self) -> None:
        self.socket.close()
        assert gone(self.pid, within=20)


def test_it_reports_what_it_has_imported_and_forks_children_of_the_supervisor(
    tmp_path: Path,
) -> None:
    package = install(tmp_path, NAME)
    with zygote(path=tmp_path) as (base, _):
        channel = ChannelProcess(base, NAME, f"{NAME}.plugin")
        report = channel.report
        assert (report["threads"], report["sound"], "error" in report) == (0, True, False)
        assert report["seconds"] > 0
        assert report["bytes"] >= 0
        assert os.stat(f"/proc/{channel.pid}").st_uid == os.geteuid()
        assert reap(fork(channel.socket)) == (os.CLD_EXITED, 1)  # ours, without a bootstrap
        assert channel.check() == b"fresh"
        (package / "plugin.py").write_text("")
        assert channel.check() == b"stale"
        assert reap(fork(channel.socket)) == (os.CLD_EXITED, 1)  # who asks decides
        channel.end()
        reap(fork(base))  # which has nothing to do with it


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
        ("class Odd(Exception):\n    __str__ = None\nraise Odd", "Odd"),
        ("raise ValueError('x' * 9999)", f"ValueError: {'x' * 288}"),
    ],
)
def test_an_import_that_raises_is_reported_and_ends_it(
    tmp_path: Path, code: str, error: str
) -> None:
    install(tmp_path, NAME, f"{code}\n")
    with zygote(path=tmp_path) as (base, _):
        channel = ChannelProcess(base, NAME, f"{NAME}.plugin")
        assert channel.report["error"].strip() == error.strip()
        assert gone(channel.pid, within=20)  # by itself
        channel.socket.close()
        reap(fork(base))

"""Starts a zygote (``runtime.zygote.server``) and sends it requests.

It is started before anything else of the daemon is imported. A zygote's own imports are the
longest part of a start, so this module needs next to nothing: they are under way while the
supervisor does its own.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

ANSWER_WITHIN = 15.0  # for a zygote that is still importing; then it is replaced


def environment(run_id: str) -> dict[str, str]:
    """Return the environment that every Python process of the daemon is started with."""
    path = os.pathsep.join(filter(None, sys.path))  # an entry "" would depend on the cwd
    return {**os.environ, "TRUNKLINE_RUN_ID": run_id, "PYTHONPATH": path}


class Zygote:
    """A zygote process and the socket to it. Making one returns at once; it imports meanwhile."""

    def __init__(self, run_id: str) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(ANSWER_WITHIN)
        call = f"from runtime.zygote.server import main; main({theirs.fileno()}, {os.getpid()})"
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own code
            [sys.executable, "-P", "-c", call],  # -P: nothing is imported from the cwd
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment(run_id),
        )
        theirs.close()

    @property
    def pid(self) -> int:
        """The zygote's process id."""
        return self._process.pid

    @property
    def dead(self) -> bool:
        """Whether the zygote has ended."""
        return self._process.poll() is not None

    def preload(self, modules: Sequence[str]) -> None:
        """Have the zygote import these modules too, without waiting until it has."""
        message = json.dumps({"kind": "preload", "modules": list(modules)}).encode()
        with suppress(OSError):  # a dead one is noticed, and replaced, at the next start
            self._socket.send(message)

    def request_fork(self, message: bytes, fds: list[int]) -> bytes:
        """Return the zygote's answer to a request to fork; empty when it has ended.

        Blocks up to ``ANSWER_WITHIN``; raises ``OSError``.
        """
        socket.send_fds(self._socket, [message], fds)
        return self._socket.recv(4096)

    def end(self) -> None:
        """Kill and reap the zygote."""
        self._process.kill()
        self._process.wait()
        self._socket.close()

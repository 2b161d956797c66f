"""Starts a zygote (``runtime.zygote.server``) and sends it requests.

The zygote is started before anything else of the daemon is imported: its own imports are the
longest part of a start, and run while the supervisor does its imports. So this module imports
almost nothing.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

from ipc.procfs import stat_fields

ANSWER_WITHIN = 15.0  # for a zygote that is still importing; then it is replaced
CHECK_SECONDS = 0.5  # while it does not answer
STOPPED_CHECKS = 2  # in a row: a debugger may stop it for a moment


class ZygoteStopped(OSError):
    """The zygote was stopped by a signal (SIGSTOP), so it does not answer; it is not broken."""


def mark(run_id: str) -> str:
    """Return the argument that marks the processes of a run, so that leftovers are found."""
    return f"TRUNKLINE_RUN_ID={run_id}"


def environment(run_id: str, withheld: Collection[str] = ()) -> dict[str, str]:
    """Return the environment for a Python process of the daemon.

    The variables ``withheld`` are left out. The process could not remove them by itself: they would
    stay in its ``/proc/self/environ``.
    """
    path = os.pathsep.join(filter(None, sys.path))  # an entry "" would depend on the cwd
    kept = {name: value for name, value in os.environ.items() if name not in withheld}
    return {**kept, "TRUNKLINE_RUN_ID": run_id, "PYTHONPATH": path}


class Zygote:
    """A zygote process and the socket to it. Creating one does not wait for the zygote's imports.

    Its environment lacks the variables ``withheld``.
    """

    def __init__(self, run_id: str, withheld: Collection[str] = ()) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(CHECK_SECONDS)
        call = f"from runtime.zygote.server import main; main({theirs.fileno()}, {os.getpid()})"
        # -P: nothing is imported from the current directory.
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own code
            [sys.executable, "-P", "-c", call, mark(run_id)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment(run_id, withheld),
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
        """Ask the zygote to import more modules, without waiting until it has."""
        self._send({"kind": "preload", "modules": list(modules)})

    def forget(self, names: Iterable[str]) -> None:
        """Ask the zygote to remove variables from its environment before its next fork."""
        self._send({"kind": "forget", "names": sorted(names)})

    def _send(self, message: dict[str, Any]) -> None:
        import json  # late: it takes 1 ms, for which the start of the zygote need not wait

        with suppress(OSError):  # a dead one is noticed, and replaced, at the next start
            self._socket.send(json.dumps(message).encode())

    def request_fork(self, message: bytes, fds: list[int]) -> bytes:
        """Send a request to fork; return the zygote's answer, empty if the zygote has ended.

        Blocks for at most ``ANSWER_WITHIN`` seconds. Raises ``OSError``, or ``ZygoteStopped`` if
        the zygote was found stopped ``STOPPED_CHECKS`` times in a row.
        """
        socket.send_fds(self._socket, [message], fds)
        ends, stopped = time.monotonic() + ANSWER_WITHIN, 0
        while True:
            try:
                return self._socket.recv(4096)
            except TimeoutError:
                stopped = stopped + 1 if is_stopped(self.pid) else 0
                if stopped >= STOPPED_CHECKS:
                    raise ZygoteStopped("it is stopped by a signal") from None
                if time.monotonic() >= ends:
                    raise

    def end(self) -> None:
        """Kill and reap the zygote."""
        self._process.kill()
        self._process.wait()
        self._socket.close()


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped by a signal or a tracer (proc_pid_stat(5))."""
    try:
        return stat_fields(pid)[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False

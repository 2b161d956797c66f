"""Processes that end when the benchmark ends, however it ends.

A benchmark that is killed must not leave a daemon behind that restarts accounts for ever.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import Any

from tests.support.daemon import Daemon

PR_SET_PDEATHSIG = 1
CLI = (sys.executable, "-c", "from ops.cli import main; main()", "up")

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Be killed when the parent ends (prctl(2)); for ``preexec_fn``."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class TiedDaemon(Daemon):
    """The real daemon, which the kernel kills with us. Its own children die with it."""

    async def start(self, *args: str) -> None:
        """Start it and wait until its gateway answers."""
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [*CLI, *args],
                env=self.env,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
            )
        await self.wait(lambda status: status["gateway"]["connected"])


def spawn(*command: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a process of a system under comparison."""
    return subprocess.Popen(command, preexec_fn=die_with_parent, env=os.environ, **options)

"""Processes that end when the benchmark ends, however it ends.

A benchmark that is killed must not leave a daemon behind that restarts accounts for ever.
"""

from __future__ import annotations

import compileall
import ctypes
import os
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon

ROOT = Path(__file__).parents[1]
PR_SET_PDEATHSIG = 1
CLI = (sys.executable, "-c", "from ops.cli.main import main; main()", "up")

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Be killed when the parent ends (prctl(2)); for ``preexec_fn``."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@lru_cache(maxsize=1)
def compile_ours() -> None:
    """Make byte code of our packages, as an installation has it.

    Where PYTHONDONTWRITEBYTECODE is set, as in images of containers, every start would compile
    a hundred modules again (0.2 s), which is not what is measured.
    """
    for package in ("ipc", "workers", "runtime", "ops"):
        compileall.compile_dir(ROOT / package, quiet=1)


class TiedDaemon(Daemon):
    """The real daemon, which the kernel kills with us. Its own children die with it."""

    def __init__(self, directory: Path, config: dict[str, Any], **env: str) -> None:
        super().__init__(directory, config, **env)
        compile_ours()

    async def start(self, *args: str) -> None:
        """Start it and wait until its gateway answers."""
        self.launch(*args)
        await self.wait(lambda status: status["gateway"]["connected"])

    def launch(self, *args: str) -> None:
        """Start it; it is not up yet."""
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [*CLI, *args],
                env=self.env,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
            )


def spawn(*command: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a process of a system under comparison."""
    return subprocess.Popen(command, preexec_fn=die_with_parent, env=os.environ, **options)

"""Starts processes that the kernel kills when the benchmark ends, however it ends.

A benchmark that is killed must not leave a daemon behind that restarts accounts for ever.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from bench.checkout import Checkout, compile_once, has_access_policy
from tests.support.daemon import Daemon

PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (prctl(2)); for ``preexec_fn``."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class TiedDaemon(Daemon):
    """The daemon of a checkout, which the kernel kills with us. Its own children die with it.

    ``site`` is a folder of installed packages for it, of other channels say.
    """

    def __init__(
        self,
        directory: Path,
        config: dict[str, Any],
        *,
        checkout: Checkout | None = None,
        site: str = "",
    ) -> None:
        super().__init__(directory, config)
        self.checkout = checkout or Checkout.this()
        self.env = self.checkout.environment(self.env, site)
        if not has_access_policy(self.checkout):
            self.admits_everybody = False
            self.write(config)
        compile_once(self.checkout)

    async def start(self, *args: str) -> None:
        """Start it and wait until its gateway answers."""
        self.launch(*args)
        await self.wait(lambda status: status["gateway"]["connected"])

    def launch(self, *args: str) -> None:
        """Start it; it is not up yet."""
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [*self.checkout.command, "up", *args],
                env=self.env,
                cwd=self.directory,  # no checkout: Python imports from there before all else
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
            )


def spawn(*command: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a process of a system under comparison."""
    return subprocess.Popen(command, preexec_fn=die_with_parent, env=os.environ, **options)

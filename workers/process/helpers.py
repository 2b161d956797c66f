"""Start programs that help a process of the daemon, and end with it.

A helper is in a session of its own, so that it can be ended with all that it starts, and the
kernel kills it when the process that started it dies, however that dies (PR_SET_PDEATHSIG,
prctl(2)). A program that changes its user, such as sudo(8), loses that tie at its start.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TypeAlias

from ipc.helpers import remember

PR_SET_PDEATHSIG = 1

Stream: TypeAlias = int | IO[bytes] | None


def start_helper(
    command: Sequence[str],
    *,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command``, without a shell, in a session of its own; raises ``OSError``.

    The streams and ``env`` are as for ``subprocess.Popen``. The helper ends when the *thread* ends
    that started it: wait for it there, or start it from one that lasts.
    """
    return remember(
        lambda: subprocess.Popen(  # noqa: S603 - the operator's or the channel's own command
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            start_new_session=True,
            preexec_fn=_tie(os.getpid()),
        )
    )


def end_helper(process: subprocess.Popen[bytes]) -> None:
    """Kill a helper that has not been waited for, and what it started in its session."""
    if process.returncode is None:  # else its number may be a stranger's by now
        os.killpg(process.pid, signal.SIGKILL)


def _tie(parent: int) -> Callable[[], None]:
    """Return what ties the child of a fork to ``parent``.

    It runs between fork and exec, when a lock that another thread held is held for ever: so it
    calls the kernel and nothing else, by a function that is looked up before the fork.
    """
    import ctypes  # late: most processes start no helper

    prctl, kill_signal = ctypes.PyDLL(None).prctl, int(signal.SIGKILL)

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, kill_signal, 0, 0, 0)
        if os.getppid() != parent:  # it has died meanwhile
            os._exit(1)

    return tie

"""Starts helper programs that end with the process that started them, which alone reaps them.

A helper is in a session of its own, so that it can be ended with all its children, and the kernel
kills it when the process that started it dies (PR_SET_PDEATHSIG, prctl(2)). A program that changes
its user, such as sudo(8), loses that protection at its start.

A supervisor adopts and reaps the orphans of its children, and as process 1 of a container all
orphans. It must not reap helpers, whose exit status is read here, because waitpid(2) returns a
status only once.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TypeAlias

RUN_ID = "TRUNKLINE_RUN_ID"  # in the environment, or the arguments, of all that belongs to a run
PR_SET_PDEATHSIG = 1
PIPE, STDOUT = subprocess.PIPE, subprocess.STDOUT
AT_ONCE = 64 * 1024  # bytes that are read at once

Stream: TypeAlias = int | IO[bytes] | None
Helper: TypeAlias = subprocess.Popen[bytes]

_starting = threading.Lock()  # held so that no program runs that is not remembered yet
_started: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()


def start_helper(
    command: Sequence[str],
    *,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command``, without a shell, in a session of its own; raises ``OSError``.

    The streams, ``env`` and ``cwd`` are as for ``subprocess.Popen``; the id of the daemon's run is
    added to ``env``, so that leftovers are found. The helper ends when the *thread* that started it
    ends: wait for it there, or start it from a lasting thread.
    """
    return start_tracked(
        lambda: subprocess.Popen(  # noqa: S603 - the operator's or the channel's own command
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=_marked(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_tie(os.getpid()),
        )
    )


def read_output(process: subprocess.Popen[bytes], seconds: float, limit: int) -> bytes | None:
    """Return the output of a helper until it exits; ``None`` if that takes too long. Blocks.

    It waits for the exit, not for the end of the output: a background agent of a password store may
    hold the pipe open for ever. Stops reading soon after ``limit`` bytes.
    """
    assert process.stdout is not None
    out, data, deadline = process.stdout.fileno(), b"", time.monotonic() + seconds
    exited = os.pidfd_open(process.pid)
    try:
        os.set_blocking(out, False)
        poll = select.poll()
        poll.register(exited, select.POLLIN)
        poll.register(out, select.POLLIN)
        while len(data) <= limit:
            ready = poll.poll(max(deadline - time.monotonic(), 0) * 1000)
            if not ready:
                return None
            chunk = _available(out)
            data += chunk
            if not chunk and any(fd == exited for fd, _ in ready):
                break
            if not chunk:
                poll.unregister(out)  # closed, but the helper still runs
        return data
    finally:
        os.close(exited)


def _available(fd: int) -> bytes:
    try:
        return os.read(fd, AT_ONCE)
    except BlockingIOError:
        return b""


def _marked(env: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return an environment with the id of this run, if this process has one."""
    if env is None or RUN_ID not in os.environ:
        return env
    return {**env, RUN_ID: os.environ[RUN_ID]}


def end_helper(process: subprocess.Popen[bytes]) -> None:
    """Kill a helper that has not been reaped, and its session."""
    if process.returncode is None:  # else its number may be a stranger's by now
        os.killpg(process.pid, signal.SIGKILL)


def _tie(parent: int) -> Callable[[], None]:
    """Return a function that makes a forked child die with ``parent``.

    It runs between fork and exec, where locks held by other threads are never released: so it only
    makes a system call, through a function that is looked up before the fork.
    """
    import ctypes  # late: most processes start no helper

    prctl, kill_signal = ctypes.PyDLL(None).prctl, int(signal.SIGKILL)

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, kill_signal, 0, 0, 0)
        if os.getppid() != parent:  # it has died meanwhile
            os._exit(1)

    return tie


def start_tracked(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Call ``start``, and register the program until it has been reaped."""
    with _starting:
        process = start()
        _started.add(process)
        return process


@contextmanager
def helpers_spared() -> Iterator[frozenset[int]]:
    """Yield the pids of all helpers; no other helper is started during the block."""
    with _starting:
        yield frozenset(each.pid for each in _started if each.returncode is None)

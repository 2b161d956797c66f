"""Real processes of a real launcher, for tests of their life and end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import SpawnedProcess, Spec

TARGETS = "tests.support.targets"
LAUNCHERS = ("zygote", "exec")


def spec(target: str, payload: bytes = b"", **more: Any) -> Spec:
    more.setdefault("name", "irc:libera#12")
    return Spec(target=f"{TARGETS}:{target}", payload=payload, **more)


@contextlib.asynccontextmanager
async def spawned(launcher: Launcher, what: Spec) -> AsyncIterator[SpawnedProcess]:
    """Start a process; afterwards its pipes are closed. The test waits for its end."""
    process = await launcher.spawn(what)
    try:
        yield process
    finally:
        process.kill()
        os.close(process.stdout)
        os.close(process.stderr)


async def readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    there = loop.create_future()
    loop.add_reader(fd, lambda: None if there.done() else there.set_result(None))
    try:
        await asyncio.wait_for(there, 20)
    finally:
        loop.remove_reader(fd)


async def line(fd: int) -> str:
    """Return the first line from a pipe."""
    text = b""
    while not text.endswith(b"\n"):
        await readable(fd)
        more = os.read(fd, 1)
        assert more, f"the pipe ended after {text!r}"
        text += more
    return text.decode().strip()


async def ended(pid: int) -> bool:
    """Return whether a process ends within two seconds; the loop continues to run."""
    return await asyncio.to_thread(gone, pid, within=2.0)


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def gone(pid: int, *, within: float) -> bool:
    """Return whether a process ends within so many seconds; reap it if it is a child."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ended = bool(select.select([pidfd], [], [], within)[0])
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
        return ended
    finally:
        os.close(pidfd)

"""Stops a process at a system call that a test names, so that it is killed exactly there.

strace(1) counts the calls of each thread and stops the whole process after one of them: what runs
is the product as it is, and the moment does not depend on time.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.until import PATIENCE

STOPPED = "--- stopped by SIGSTOP ---"
# Names of one and the same step, of which a machine has some.
ALIKE = {"rename": "?rename,?renameat,?renameat2", "unlink": "?unlink,?unlinkat"}


class StopAt(NamedTuple):
    """After the ``number``-th ``call`` of a thread."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


class Stopping:
    """A process that strace traces, and what it has written about it."""

    def __init__(self, tracer: subprocess.Popen[bytes], trace: Path) -> None:
        self._tracer, self._trace = tracer, trace

    async def stopped(self) -> None:
        """Wait until the process has stopped."""
        async with asyncio.timeout(PATIENCE):
            while STOPPED not in self._text():
                assert self._tracer.poll() is None, f"it never came there:\n{self._text()[-2000:]}"
                await asyncio.sleep(0.005)

    def _text(self) -> str:
        return self._trace.read_text(errors="replace") if self._trace.exists() else ""


def tracing_command(at: StopAt, trace: Path) -> list[str]:
    """Return the strace command that stops what follows it, or the process that it is given."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    calls = ALIKE.get(at.call, at.call)
    inject = f"inject={calls}:signal=SIGSTOP:when={at.number}"
    return ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}", "-e", inject]


@asynccontextmanager
async def stopping(pid: int, at: StopAt, place: Path) -> AsyncIterator[Stopping]:
    """Stop a running process at a call that it makes from now on; strace writes into ``place``."""
    trace = place / f"trace-{pid}"
    command = [*tracing_command(at, trace), "-p", str(pid)]
    tracer = await asyncio.to_thread(subprocess.Popen, command, stderr=subprocess.PIPE)
    try:
        async with asyncio.timeout(PATIENCE):
            while not _traced(pid):
                if tracer.poll() is not None:
                    assert tracer.stderr is not None
                    pytest.skip(f"strace may not trace here: {tracer.stderr.read().decode()}")
                await asyncio.sleep(0.005)
        yield Stopping(tracer, trace)
    finally:
        tracer.terminate()
        await asyncio.to_thread(tracer.communicate)


def _traced(pid: int) -> bool:
    """Return whether every thread of a process is traced."""
    found = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/status")]
    return bool(found) and all("TracerPid:\t0\n" not in each for each in found)

"""The real command line, run as a program."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ops.exits import ExitCode
from ops.output.next_steps import names_step

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "ops.cli.entry")
# Why a start or a change failed has its own words; that the configuration is wrong, its place.
_ENDING_WITH_STEP = (ExitCode.USAGE, ExitCode.NOT_RUNNING, ExitCode.TIMEOUT)
# The same where no file can grow, as on a full disk.
# Nor can figures of coverage be written there.
_FULL = 'unset COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG; ulimit -f 0; exec "$@"'
ON_A_FULL_DISK = ("sh", "-c", _FULL, "sh", *PROGRAM)


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)

    def complains(self, code: int, *words: str) -> None:
        """Assert that it failed with ``code`` and one clear sentence that has ``words``."""
        assert (self.code, self.out) == (code, ""), self
        assert self.err.startswith("trunkline: "), self
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        assert "bug in trunkline" not in self.err
        if code in _ENDING_WITH_STEP:
            assert names_step(self.err, usage=code == ExitCode.USAGE), self.err
        for word in words:
            assert word in self.err, self.err


def environment(state: Path, **more: str) -> dict[str, str]:
    """Return an environment in which all files are in ``home``."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    covered = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return (
        kept
        | covered
        | {
            "HOME": str(state),
            "PYTHONPATH": str(ROOT),
            "TRUNKLINE_STATE_DIR": str(state),
            "TRUNKLINE_RUNTIME_DIR": str(state),
        }
        | more
    )


def unmeasured(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment whose programs leave no coverage figures.

    Counting lines costs time, and writes a file that an ordinary user of a test may not write.
    """
    return {name: each for name, each in environment.items() if not name.startswith("COVERAGE_")}


def cpu_beside_bare_python(env: Mapping[str, str], *args: str) -> float:
    """Return the CPU time of a command, as a multiple of an interpreter's that does nothing.

    Both run in turn, and the least of each counts: other tests that use the cores at the same time
    make both slower.
    """

    def once(*words: str) -> float:
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        return end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime

    once(*PROGRAM, *args)  # the first run may have to compile
    turns = [(once(*PROGRAM, *args), once(sys.executable, "-c", "pass")) for _ in range(7)]
    return min(ours for ours, _ in turns) / min(bare for _, bare in turns)


@asynccontextmanager
async def started(state: Path, *args: str, **env: str) -> AsyncIterator[Process]:
    """Start a command; if it still runs at the end, it is killed."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *args, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment(state, **env)
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # the pipes, read or not


async def trunkline(state: Path, *args: str, typed: bytes = b"", **env: str) -> Result:
    """Run a command to its end."""
    async with started(state, *args, **env) as process:
        return await ended(process, typed)


async def ended(process: Process, typed: bytes = b"") -> Result:
    """Wait for the end of a started command."""
    async with asyncio.timeout(30):
        out, err = await process.communicate(typed)
    assert process.returncode is not None
    return Result(process.returncode, out.decode(), err.decode())


async def line(process: Process) -> str:
    """Return the next line that a started command prints."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return (await process.stdout.readline()).decode().rstrip("\n")


async def interrupted(process: Process) -> Result:
    """Press Ctrl-C and wait for the end."""
    process.send_signal(signal.SIGINT)
    return await ended(process)

"""Builds the load generator with the system's ``cc`` and runs it.

Without a compiler the one in Python does its work, and its results name it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bench.tied import die_with_parent

SOURCES = Path(__file__).parent
PATIENCE = 60.0  # seconds beyond the run itself
LINE_BYTES = 1 << 20


class Lost(Exception):
    """The error if messages were lost, repeated or out of order, or answers were errors."""


def cache_dir() -> Path:
    """Return the directory, outside of the repository, for builds and downloads of benchmarks."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    place = Path(base) / "trunkline-bench"
    place.mkdir(parents=True, exist_ok=True)
    return place


@cache
def generator() -> tuple[str, ...]:
    """Return the command of the generator: the compiled program, or the one in Python."""
    compiler = shutil.which("cc")
    if compiler is None or os.environ.get("BENCH_GENERATOR") == "python":
        return (sys.executable, "-m", "bench.load.pure")
    sources = sorted([*SOURCES.glob("*.c"), *SOURCES.glob("*.h")])
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    program = cache_dir() / f"load-{version}"
    if not program.exists():
        made = program.with_suffix(f".{os.getpid()}")
        flags = ("-O2", "-Wall", "-Wextra", "-std=gnu11")
        subprocess.run([compiler, *flags, str(SOURCES / "load.c"), "-o", str(made)], check=True)
        made.rename(program)
    return (str(program),)


class Load:
    """A running generator whose clients are connected."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The generator's process."""
        return self._process.pid

    async def state(self, name: str, within: float = PATIENCE) -> dict[str, Any]:
        """Wait until it reports the state ``name``; return the whole line."""
        said = await self._line(within)
        if said.get("state") != name:
            raise RuntimeError(f"load generator: {name} expected, got {said}")
        return said

    def go(self) -> None:
        """Start the warm-up."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    async def result(self, *, strict: bool = True) -> dict[str, Any]:
        """Return the result; raises ``Lost`` if anything was lost or refused."""
        found = await self._line(PATIENCE)
        if strict and any(found[name] for name in ("gaps", "repeats", "errors")):
            raise Lost(json.dumps(found))
        return found

    async def _line(self, within: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(within):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"load generator ended with {await self._process.wait()}")
        said: dict[str, Any] = json.loads(line)
        return said


@asynccontextmanager
async def load(
    mode: str, port: int, options: Sequence[str] = (), **numbers: float | str
) -> AsyncIterator[Load]:
    """Start a generator whose clients are connected and wait for ``go``.

    ``numbers`` are its options: clients, seconds, warm, depth, bytes, slow, request, connect.
    """
    given = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    process = await asyncio.create_subprocess_exec(
        *generator(), mode, "--port", str(port), *options, *given,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
        preexec_fn=die_with_parent,
    )  # fmt: skip
    try:
        running = Load(process)
        await running.state("ready")
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()

"""Runs systems that are a few programs: a gateway, and sources that take orders on stdin.

The base of all that the product is compared with. A gateway prints its port.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

from bench.systems.system import Entry, Order, Processes
from bench.tied import spawn
from tests.support.short_directory import ShortDirectory

SOURCES = 4
SAMPLE = 200


class Programs:
    """A system of programs; ``gateway`` and ``source`` return the commands to run."""

    name = ""

    def __init__(self) -> None:
        self.port = 0
        self._gateway: subprocess.Popen[bytes]
        self._sources: list[subprocess.Popen[bytes]] = []

    def gateway(self, place: str) -> list[str]:
        """Return the gateway's command."""
        raise NotImplementedError

    def source(self, place: str, name: str) -> list[str]:
        """Return the command of the source ``name``."""
        raise NotImplementedError

    def entry(self, *, events: bool = True) -> Entry:
        """Return how clients connect."""
        return Entry(self.port, ("--plain",))

    async def start(self) -> None:
        """Start the gateway, then the sources; wait until each is ready."""
        self._directory = ShortDirectory()
        place = str(self._directory.path)
        self._gateway = _started(self.gateway(place))
        self.port = int(await _line(self._gateway))
        self._sources = [_started(self.source(place, f"w{number}")) for number in range(SOURCES)]
        for source in self._sources:
            await _line(source)

    async def stop(self) -> None:
        """End everything."""
        for process in [*self._sources, self._gateway]:
            process.kill()
            process.communicate()
        self._directory.cleanup()

    async def emit(self, order: Order) -> None:
        """Let the first sources emit."""
        for source in self._sources[: order.workers]:
            _tell(source, f"{order.rate} {order.size}\n")

    async def silence(self) -> None:
        """Stop all sources."""
        for source in self._sources:
            _tell(source, f"0 {SAMPLE}\n")

    def processes(self) -> Processes:
        """Return the processes that run."""
        return Processes([self._gateway.pid], [source.pid for source in self._sources])


def module(name: str, *args: str) -> list[str]:
    """Return the command that runs a module of ours."""
    return [sys.executable, "-m", f"bench.systems.{name}", *args]


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return spawn(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


async def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 30)
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
    return line


def _tell(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode())

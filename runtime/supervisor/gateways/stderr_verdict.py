"""Classifies the exit of a gateway's process together with its last stderr lines.

Its standard error is read to the end first: the last line is often the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from runtime.supervisor.gateways.interface import NAME
from runtime.supervisor.gateways.stderr import StderrFilter, StderrRing
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.logs.capture import LineCapture
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.process import SpawnedProcess

Classify = Callable[[Exit, list[str]], Exit]


class ProcessWithStderr:
    """A gateway's process; ``classify(exit, lines)`` returns the exit to report."""

    def __init__(
        self, process: SpawnedProcess, capture: LineCapture, stderr: StderrRing, classify: Classify
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._capture = capture
        self._stderr = stderr
        self._classify = classify

    @classmethod
    async def capture(
        cls,
        process: SpawnedProcess,
        logs: LogStore,
        incarnation: int,
        stderr: StderrRing,
        classify: Classify,
    ) -> Self:
        """Capture the output of a new process; kill it if that fails."""
        capture = await logs.capture_or_kill(
            NAME, incarnation, process, filter_line=StderrFilter(stderr)
        )
        return cls(process, capture, stderr, classify)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill it and what it started."""
        self._process.kill()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.signal(number)

    async def wait(self) -> Exit:
        """Wait for the end; return the classified exit."""
        how = await self._process.wait()
        self._capture.drain()
        return self._classify(how, self._stderr.lines)

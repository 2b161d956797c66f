"""A gateway's process, whose exit is told with what it complained about before.

Its standard error is read to the end first: the last line is often the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from runtime.supervisor.gateways.stderr import Class, Complaints
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.logs.capture import LineCapture
from runtime.supervisor.logs.line import Line
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.process import SpawnedProcess

Judge = Callable[[Exit, list[str]], Exit]


class Judged:
    """``judge(exit, lines)`` says what the exit is taken for."""

    def __init__(
        self, process: SpawnedProcess, capture: LineCapture, complaints: Complaints, judge: Judge
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._capture = capture
        self._complaints = complaints
        self._judge = judge

    @classmethod
    async def of(
        cls,
        process: SpawnedProcess,
        logs: LogStore,
        name: str,
        incarnation: int,
        complaints: Complaints,
        judge: Judge,
    ) -> Self:
        """Capture what a new process prints; one that cannot be captured is ended again."""
        try:
            capture = logs.capture(name, incarnation, process, filter_line=Screen(complaints))
        except BaseException:
            process.kill()
            await process.wait()
            raise
        return cls(process, capture, complaints, judge)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it and what it started."""
        self._process.kill()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.signal(number)

    async def wait(self) -> Exit:
        """Return what its end is taken for."""
        how = await self._process.wait()
        self._capture.drain()
        return self._judge(how, self._complaints.lines)


class Screen:
    """Decides how a line of a gateway is logged: without secrets, classed, told once."""

    def __init__(self, complaints: Complaints) -> None:
        self._complaints = complaints

    def __call__(self, line: Line) -> Line | None:
        """Return the line to log, ``None`` for none."""
        text = line.get("text")
        if not isinstance(text, str):  # a structured record of ours
            return line
        if line.get("stream") != "stderr":
            return line | {"text": self._complaints.hide(text)}
        kind, text, count = self._complaints.take(text)
        if kind is Class.DROP:
            return None
        more = {"repeats": count} if count > 1 else {}
        return line | {"text": text, "level": kind.value} | more

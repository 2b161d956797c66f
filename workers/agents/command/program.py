"""Runs the program of one turn: writes the prompt, reads the output, ends its process group."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from ipc import timeouts
from ipc.helper_pipes import StderrLog, connect_pipes
from ipc.helpers import PIPE, end_helper, start_helper

PIECE = 64 * 1024  # bytes that are read at once
LEFT_SECONDS = 0.5  # for what is still in its pipes once the program has ended
DEAD_SECONDS = 5.0  # a process that was killed ends at once, unless the kernel holds it


class TurnProgram:
    """A program in its own process group, which the kernel kills if this process dies."""

    def __init__(self, process: subprocess.Popen[bytes], log: Any) -> None:
        name = os.path.basename(str(cast(Sequence[str], process.args)[0]))
        self._process = process
        self._stderr = StderrLog(log, name)
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._output = asyncio.StreamReader(limit=PIECE)
        self._pipes: list[asyncio.BaseTransport] = []
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls, argv: Sequence[str], prompt: bytes, log: Any, env: Mapping[str, str], cwd: str
    ) -> TurnProgram:
        """Start a program without a shell and write ``prompt`` to it; raises ``OSError``."""
        # Here, on the loop's thread: the tie to this process is one to the thread that started it.
        process = start_helper(argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=env, cwd=cwd)
        program = cls(process, log)
        connecting = asyncio.create_task(program._connect(prompt))
        try:
            # To its end, a few turns of the loop: what is half connected belongs to no one.
            await asyncio.wait([connecting])
        except asyncio.CancelledError:
            await asyncio.wait([connecting])
            if connecting.exception() is None:
                await program.end(0)
            raise
        connecting.result()
        return program

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the output as it comes, until its end or the program's end.

        A process that has left the group may hold the pipe open for longer than the program.
        """
        reading: asyncio.Task[bytes] | None = None
        try:
            while True:
                reading = self._loop.create_task(self._output.read(PIECE))
                if not self._ended.done():
                    both: list[asyncio.Future[Any]] = [reading, self._ended]
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({reading}, timeout=LEFT_SECONDS if self._ended.done() else None)
                if not reading.done() or not (piece := reading.result()):
                    return
                yield piece
        finally:
            if reading is not None:
                reading.cancel()

    async def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit status, negative for a signal; ``None`` if not ended in ``seconds``."""
        done, _ = await asyncio.wait({self._ended}, timeout=seconds)
        return self._ended.result() if done else None

    async def last_words(self) -> str:
        """Return the last line of the stderr of a program that has ended, once that was read."""
        await asyncio.wait(self._tasks, timeout=LEFT_SECONDS)
        return self._stderr.last_words

    async def end(self, seconds: float) -> None:
        """End the program and its group: by SIGTERM, and after ``seconds`` by SIGKILL.

        If this is cancelled, the group is killed at once.
        """
        try:
            if not self._ended.done():
                self._signal(signal.SIGTERM)
                await self.wait(seconds)
        finally:
            if not self._ended.done():
                self._signal(signal.SIGKILL)
                # Without this wait the next turn could meet this program.
                with suppress(TimeoutError):
                    async with timeouts.timeout(DEAD_SECONDS):
                        await asyncio.shield(self._ended)
            self._close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:  # else its number may be a stranger's by now
            with suppress(ProcessLookupError, PermissionError):  # it may have changed its user
                os.killpg(self._process.pid, number)

    async def _connect(self, prompt: bytes) -> None:
        """Connect the pipes and watch for the program's end; kill it if that fails."""
        loop, process = self._loop, self._process
        errors = asyncio.StreamReader(limit=PIECE)
        try:
            writer = await connect_pipes(process, self._output, errors, self._pipes)
            pidfd = os.pidfd_open(process.pid)
        except BaseException:
            end_helper(process)
            process.wait()  # of one that was killed: at once
            self._close()
            raise
        loop.add_reader(pidfd, self._reap, pidfd)
        self._tasks.append(loop.create_task(_feed(writer, prompt)))
        self._tasks.append(loop.create_task(self._stderr.read(errors)))

    def _reap(self, pidfd: int) -> None:
        """Kill the rest of its group, then reap it, which frees its process id."""
        self._loop.remove_reader(pidfd)
        os.close(pidfd)
        self._signal(signal.SIGKILL)
        self._ended.set_result(self._process.wait())

    def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for pipe in self._pipes:
            pipe.close()


async def _feed(writer: asyncio.StreamWriter, prompt: bytes) -> None:
    """Write the prompt and close the pipe; a program may end without reading it all."""
    with suppress(ConnectionError):
        writer.write(prompt)
        await writer.drain()
    writer.close()

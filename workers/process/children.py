"""Runs a program beside a plugin: JSON lines in and out, its stderr in the account's log.

It ends with the worker, even if that is killed (see ``ipc.helpers``).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from ipc.helper_pipes import StderrLog, connect_pipes
from ipc.helpers import AT_ONCE, end_helper, start_helper
from ipc.nesting import MALFORMED, decode_json

MAX_LINE = 1024 * 1024  # bytes of one line in either direction
LOG_SECONDS = 5.0  # the period in which the log of its stderr is limited


class PluginChild:
    """A program that a plugin has started; iterating it yields the JSON values that it prints."""

    def __init__(self, process: subprocess.Popen[bytes], log: Any) -> None:
        self.pid = process.pid
        self._process = process
        self._stderr = StderrLog(log, self._name, LOG_SECONDS)
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._output = asyncio.StreamReader(limit=MAX_LINE)
        self._input: asyncio.StreamWriter | None = None
        self._pipes: list[asyncio.BaseTransport] = []
        self._logging: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, argv: Sequence[str], log: Any, env: Mapping[str, str] | None = None
    ) -> PluginChild:
        """Start a program without a shell; raises ``OSError``."""
        pipe = subprocess.PIPE
        # Here, on the loop's thread: the tie to this process is one to the thread that started it.
        process = start_helper(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env)
        child = cls(process, log)
        try:
            await child._connect()
        except BaseException:
            child.kill()
            process.wait()  # of one that was killed: at once
            raise
        return child

    async def write(self, value: Any) -> None:
        """Write a value as one line of JSON; wait while the program does not read.

        Raises ``ConnectionError`` if it has ended.
        """
        writer = self._input
        assert writer is not None
        if writer.is_closing():
            raise BrokenPipeError(f"the program {self._name} has ended")
        writer.write(msgspec.json.encode(value) + b"\n")
        await writer.drain()

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the values until the program closes its output.

        Raises ``ValueError`` for a line that is not JSON or is longer than 1 MiB.
        """
        while line := await self._output.readline():
            if line.strip():
                try:
                    value = decode_json(line)
                except MALFORMED as error:
                    raise ValueError(f"{self._name} printed what is not JSON: {error}") from None
                yield value

    async def wait(self) -> int:
        """Return its exit code once it has ended; negative: the signal that ended it."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """Kill it and its session; unread output is lost."""
        end_helper(self._process)
        for pipe in self._pipes:
            pipe.close()

    @property
    def finished(self) -> bool:
        """True once it has ended and all of its output was read."""
        return self._ended.done() and all(pipe.is_closing() for pipe in self._pipes)

    @property
    def _name(self) -> str:
        return os.path.basename(str(cast(Sequence[str], self._process.args)[0]))

    async def _connect(self) -> None:
        loop, process = asyncio.get_running_loop(), self._process
        errors = asyncio.StreamReader(limit=AT_ONCE)
        self._input = await connect_pipes(process, self._output, errors, self._pipes)
        self._logging = loop.create_task(self._stderr.read(errors))
        pidfd = os.pidfd_open(process.pid)  # last: what closes the pipes must find them
        loop.add_reader(pidfd, self._reap, pidfd)

    def _reap(self, pidfd: int) -> None:
        """Reap the ended program and store its exit status."""
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)
        code = self._process.wait()
        assert self._input is not None
        self._input.close()
        if not self._ended.done():
            self._ended.set_result(code)

"""Controls the zygote of one channel: starts it, sends it requests, ends it.

Its imports may do anything, so nothing here waits for it without a time limit, and nothing
blocks the event loop or the spawner thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Iterable
from typing import Any

from ipc.nesting import load_json
from ipc.procfs import rss_bytes
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.preloading import (
    IMPORT_SECONDS,
    ChannelPlan,
    ImportReport,
    report_of,
)
from runtime.supervisor.processes.process import SpawnedProcess, SpawnError, Spec
from runtime.zygote.client import ANSWER_WITHIN, CHECK_SECONDS, STOPPED_CHECKS, is_stopped


class ImportFailed(Exception):
    """A zygote ended, or was ended, before its imports were done; the text is the reason."""


class ChannelZygote:
    """A process that has imported, or is importing, the modules of a channel.

    ``start`` makes one, ``imported`` waits for it; it must be ended by ``end``.
    """

    def __init__(self, process: SpawnedProcess, ours: socket.socket) -> None:
        self._process = process
        self._socket = ours
        self._asking = asyncio.Lock()
        self._ended = asyncio.ensure_future(process.wait())

    @classmethod
    async def start(
        cls, launcher: Launcher, logs: LogStore, name: str, number: int, plan: ChannelPlan
    ) -> ChannelZygote:
        """Start a zygote; log its output as ``name``. Raises ``SpawnError`` or ``OSError``."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as stack:
            stack.callback(ours.close)
            with theirs:
                process = await launcher.spawn(
                    Spec(
                        name=f"{name}#{number}",
                        target="",
                        payload=b"",
                        fds={"requests": theirs.fileno()},
                        modules=plan.modules,
                    )
                )
            await logs.capture_or_kill(name, number, process)
            ours.setblocking(False)
            stack.pop_all()
        return cls(process, ours)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def dead(self) -> bool:
        """Whether it has ended."""
        return self._ended.done()

    async def imported(self, memory: int | None) -> ImportReport:
        """Wait until all imports are done; raises ``ImportFailed``.

        The limits are ``IMPORT_SECONDS`` and ``memory`` bytes (``None``: no limit). Memory is also
        checked at the end, because an import may be over before the first check.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + IMPORT_SECONDS
        reading = asyncio.ensure_future(loop.sock_recv(self._socket, 4096))
        try:
            while not reading.done():
                await asyncio.wait({reading}, timeout=CHECK_SECONDS)
                if reading.done():
                    break
                if loop.time() >= deadline:
                    raise ImportFailed(f"it is not done after {IMPORT_SECONDS:.0f} s")
                self._check_memory(memory)
            try:
                report = report_of(load_json(reading.result()))
            except (OSError, ValueError):
                how = await self._end_of()
                raise ImportFailed(f"it ends the process: {how}") from None
        finally:
            reading.cancel()
        if report.error is None:
            self._check_memory(memory)
        return report

    def _check_memory(self, memory: int | None) -> None:
        """Raise ``ImportFailed`` if the process has more than ``memory`` bytes."""
        if memory is not None and (rss_bytes(self.pid) or 0) > memory:
            bound = f"{memory >> 20} MiB, which is all that an account may have"
            raise ImportFailed(f"it takes more than {bound}")

    async def _end_of(self) -> Exit:
        """Return how the process ended after its socket closed; kill it if it still runs."""
        await asyncio.wait({self._ended}, timeout=CHECK_SECONDS)
        if not self._ended.done():
            self._process.kill()
        return await asyncio.shield(self._ended)

    async def is_fresh(self) -> bool:
        """Return whether it runs and its imported files are unchanged."""
        try:
            return await self._ask({"kind": "check"}) == b"fresh"
        except OSError:
            return False

    async def request_fork(self, message: bytes, fds: list[int]) -> int:
        """Return the pid of the child that was forked; raises ``SpawnError``."""
        try:
            answer = await self._exchange(message, fds)
        except OSError as error:
            raise SpawnError(f"the zygote of the channel: {error}") from None
        if len(answer) == struct.calcsize("q"):
            return int(struct.unpack("q", answer)[0])
        said = answer.decode(errors="replace") or "it has ended"
        raise SpawnError(f"the zygote of the channel: {said}")

    def forget(self, names: Iterable[str]) -> None:
        """Ask it to remove variables from its environment before its next fork."""
        with contextlib.suppress(OSError):  # a dead one is noticed, and replaced, at the next start
            self._socket.send(json.dumps({"kind": "forget", "names": sorted(names)}).encode())

    async def _ask(self, request: dict[str, Any]) -> bytes:
        return await self._exchange(json.dumps(request).encode(), [])

    async def _exchange(self, message: bytes, fds: list[int]) -> bytes:
        """Return its answer to a request; a cancelled caller does not break off the exchange."""
        return await asyncio.shield(asyncio.ensure_future(self._exchange_alone(message, fds)))

    async def _exchange_alone(self, message: bytes, fds: list[int]) -> bytes:
        loop = asyncio.get_running_loop()
        async with self._asking:
            socket.send_fds(self._socket, [message], fds)
            reading = asyncio.ensure_future(loop.sock_recv(self._socket, 4096))
            deadline, stopped = loop.time() + ANSWER_WITHIN, 0
            while not reading.done():
                await asyncio.wait({reading}, timeout=CHECK_SECONDS)
                stopped = stopped + 1 if is_stopped(self.pid) else 0
                late = loop.time() >= deadline
                if not reading.done() and (late or stopped >= STOPPED_CHECKS):
                    reading.cancel()
                    self._process.kill()  # a late answer would be taken for that to another request
                    raise OSError("it was stopped by a signal" if stopped else "it does not answer")
            return reading.result()

    async def end(self) -> Exit:
        """Kill it, wait for its end, and return how it ended."""
        self._process.kill()
        how = await asyncio.shield(self._ended)
        async with self._asking:  # what waits for an answer learns of the end
            self._socket.close()
        return how

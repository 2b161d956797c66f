"""Keeps the connections of people who use the channel ``local`` through a client.

Each is one connection to the account's socket, as of anybody who runs ``trunkline chat``, so that
they have a name there and can be answered. What is printed on it is read and forgotten: clients
see the messages themselves, as events. A connection ends when nothing was said for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

from ipc import timeouts
from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE

MOST = 20  # people at a time
IDLE_SECONDS = 3600.0  # in which nothing was said, after which one leaves
NAMED_WITHIN = 5.0


class LocalPeople:
    """The connections by account and name."""

    def __init__(self) -> None:
        self._talks: dict[tuple[str, str], _Talk] = {}

    async def send(self, key: str, path: Path, name: str, lines: list[str]) -> bool:
        """Send lines to the account ``key`` at the socket ``path``; return whether it connected.

        Raises ``RemoteError`` where the account does not take the name, or cannot be reached.
        """
        talk = self._talks.get((key, name))
        fresh = talk is None
        if talk is None:
            if len(self._talks) >= MOST:
                text = f"{MOST} people talk here already; they leave when nothing was said for long"
                raise RemoteError(UNAVAILABLE, text, retryable=True)
            talk = self._talks[key, name] = _Talk(name, lambda: self._talks.pop((key, name), None))
            talk.start(path)
        try:
            async with timeouts.timeout(NAMED_WITHIN):
                await asyncio.shield(talk.named)
        except (OSError, TimeoutError) as error:
            talk.close()
            why = str(error) or f"it took no name within {NAMED_WITHIN:g} s"
            raise RemoteError(UNAVAILABLE, f"{key}: {why}", retryable=True) from None
        talk.send(lines)
        return fresh

    def close(self) -> None:
        """Close all connections."""
        for talk in list(self._talks.values()):
            talk.close()


class _Talk(asyncio.Protocol):
    """One person's connection to an account."""

    def __init__(self, name: str, on_end: Callable[[], object]) -> None:
        self._name = name
        self._on_end = on_end
        self._rest = b""
        self._connecting: asyncio.Task[None] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.named: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, path: Path) -> None:
        """Connect; ``named`` is set once the account has taken the name."""
        loop = asyncio.get_running_loop()
        self._connecting = loop.create_task(self._connect(path))

    async def _connect(self, path: Path) -> None:
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: self, str(path))
        except OSError as error:
            self._end(error)

    def send(self, lines: list[str]) -> None:
        """Send lines, each of which is a message."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.close)
        if self._transport is not None:
            self._transport.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """Close the connection after what was sent."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.close()
        self._end(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(f"/nick {self._name}\n".encode())

    def data_received(self, data: bytes) -> None:
        if self.named.done():
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:  # a greeting may come before
            self._receive_line(line.decode(errors="replace"))

    def _receive_line(self, line: str) -> None:
        if self.named.done():
            return
        if line == f"you are {self._name}":
            self.named.set_result(None)
        elif line == f"{self._name} cannot be your name":
            text = f"{self._name} cannot be a name there, or another person has it"
            self.named.set_exception(RemoteError(INVALID_REQUEST, text))
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if not self.named.done():
            self.named.set_exception(error or ConnectionResetError("the account hung up"))
            self.named.exception()  # mark it as retrieved: no caller may be waiting
        self._on_end()
        self._on_end = _nothing  # a later person of this name is another one


def _nothing() -> None:
    pass

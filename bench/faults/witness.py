"""Follows the siblings as a reconnecting client: records every message and its delay.

It connects again whenever its session ends, asks for what came after the last message that it
has, and so knows of every account which numbers never came.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import msgspec

from bench.measuring.figures import percentile
from ipc.errors import IpcError
from ipc.frames.cursors import parse_cursor
from ipc.frames.websocket import Event
from tests.support.daemon import Daemon
from tests.support.until import PATIENCE

RETRY = 0.02  # seconds
MESSAGE = "channel.message"


class _Text(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    account: str
    cursor: str
    message: _Text
    direction: str = "in"


_decode = msgspec.json.Decoder(_Message).decode


class Stream:
    """The messages of one incarnation of one account, by number. Pure."""

    def __init__(self) -> None:
        self.last = 0
        self.missing: set[int] = set()

    def take(self, number: int) -> bool:
        """Record a message; return whether it is new."""
        if number > self.last:
            if self.last:  # what was sent before the first one that we saw is no loss
                self.missing.update(range(self.last + 1, number))
            self.last = number
            return True
        new = number in self.missing
        self.missing.discard(number)
        return new

    @property
    def complete_to(self) -> int:
        """The number up to which no message is missing."""
        return min(self.missing) - 1 if self.missing else self.last


class Witness:
    """A client that receives the messages of some accounts only, so that it keeps up."""

    def __init__(self, daemon: Daemon, accounts: list[str]) -> None:
        self._daemon = daemon
        self._accounts = accounts
        self._streams: dict[str, tuple[int, Stream]] = {}
        self._missing_before = 0  # missing from incarnations that have ended
        self._late: list[float] = []
        self._task: asyncio.Task[None] | None = None
        self._came = asyncio.Event()
        self.repeated = 0  # messages that came twice

    async def __aenter__(self) -> Witness:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    @property
    def missing(self) -> int:
        """The number of messages of all accounts that have not arrived so far."""
        return self._missing_before + sum(len(each.missing) for _, each in self._streams.values())

    def window(self) -> list[float]:
        """Return the delays in seconds since the last call, and reset them."""
        late, self._late = self._late, []
        return late

    async def heard(self) -> None:
        """Wait until a message comes."""
        self._came.clear()
        async with asyncio.timeout(PATIENCE):
            await self._came.wait()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(IpcError, OSError):
                async with await self._daemon.client(caps=(), on_event=self._take) as client:
                    wanted = {"accounts": self._accounts, "events": [MESSAGE]}
                    await client.call("events.subscribe", wanted | {"cursors": self._cursors()})
                    await client.closed
            await asyncio.sleep(RETRY)

    def _cursors(self) -> dict[str, str]:
        return {key: f"{life}:{each.complete_to}" for key, (life, each) in self._streams.items()}

    def _take(self, event: Event) -> None:
        now = time.monotonic_ns()
        payload: Any = event.payload
        if event.event != MESSAGE:
            return
        message = _decode(payload)
        incarnation, number = parse_cursor(message.cursor)
        life, stream = self._streams.get(message.account, (-1, Stream()))
        if incarnation != life:
            self._missing_before += len(stream.missing)
            life, stream = incarnation, Stream()
            self._streams[message.account] = life, stream
        if stream.take(number):
            if message.direction == "in":  # what is sent may say anything
                self._late.append((now - int(message.message.text.split(" ", 2)[1])) / 1e9)
                self._came.set()
        else:
            self.repeated += 1


def p99_ms(late: list[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return percentile(late, 0.99) * 1e3

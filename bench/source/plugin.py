"""Runs one account of ``source``."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

from workers.messages import Chat, Inbound, Outbound, Sender, Sent
from workers.plugin import Context

CHAT = Chat(id="load", kind="group", title="Load")
SENDER = Sender(id="load", name="load", bot=True)  # a bot: no agent answers it
PACE = 0.002  # seconds; uvloop's timers have a resolution of 1 ms
Emit = Callable[[Inbound], Awaitable[object]]
CHECK_EVERY = 256  # messages between two checks of the orders


class Ledger:
    """A file of what was to be emitted and what was, which outlives the process."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(path) as lines:
            self.last = max((int(line[2:]) for line in lines), default=0)

    def around(self, emit: Emit) -> Emit:
        """Return ``emit`` that writes before and after."""

        async def written(message: Inbound) -> None:
            number = int(message.id)
            os.write(self._file, b"b %d\n" % number)
            self.last = number
            await emit(message)
            os.write(self._file, b"d %d\n" % number)

        return written


class Source:
    """An account that follows its newest order."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self._rate = ctx.config.rate
        self._bytes = 200
        self._burst = 0
        self._ledger = Ledger(ctx.config.ledger) if ctx.config.ledger else None
        self._number = self._ledger.last if self._ledger else 0
        self._leaked: list[bytes] = []
        self._leak = 0.0
        self._changed = asyncio.Event()
        self._order = 0  # grows with each, so that a running one notices

    async def run(self) -> None:
        """Emit as ordered until cancelled."""
        self.ctx.ready()
        if self.ctx.config.crash_after:
            asyncio.get_running_loop().call_later(self.ctx.config.crash_after, os._exit, 1)
        while True:
            self._changed.clear()
            order = self._order
            if self._burst:
                count, self._burst = self._burst, 0
                await self._emit(count)
            elif self._leak:
                await self._grow()
            elif self._rate < 0:
                await self._flood(order)
            elif self._rate:
                await self._pace(order)
            else:
                await self._changed.wait()

    async def send(self, message: Outbound) -> Sent:
        """Take an order; acknowledge any other text."""
        name, _, value = message.text.partition(" ")[0].partition("=")
        if name in ("rate", "burst", "crash", "hang", "leak"):
            self._take(name, value, message.text)
        return Sent(id=message.key, chat=message.to, ts=int(time.time() * 1000))

    def _take(self, name: str, value: str, text: str) -> None:
        loop = asyncio.get_running_loop()
        for word in text.split():
            if word.startswith("bytes="):
                self._bytes = int(word[6:])
        if name == "rate":
            self._rate = float(value)
        elif name == "burst":
            self._burst = int(value)
        elif name == "leak":
            self._leak = float(value)
        elif name == "hang":
            loop.call_later(0.01, time.sleep, float(value))  # after this is answered
        else:
            loop.call_later(0.01, os._exit, 1)
        self._order += 1
        self._changed.set()

    async def _emit(self, count: int) -> None:
        """Emit ``count`` messages without a pause."""
        emit: Emit = self.ctx.emit
        size = self._bytes
        filler = "x" * size
        if self._ledger:
            emit = self._ledger.around(emit)
        number, clock = self._number, time.monotonic_ns
        now = int(time.time() * 1000)
        for _ in range(count):
            number += 1
            text = f"{number:010} {clock():019} {filler}"[:size]
            await emit(Inbound(f"{number:010}", CHAT, SENDER, text, now))
        self._number = number

    async def _flood(self, order: int) -> None:
        while self._order == order:
            await self._emit(CHECK_EVERY)

    async def _pace(self, order: int) -> None:
        """Keep the rate on average, in steps of ``PACE`` at the least."""
        loop, rate = asyncio.get_running_loop(), self._rate
        began, said = loop.time(), 0
        while self._order == order:
            due = int((loop.time() - began) * rate) - said
            if due > 0:
                await self._emit(due)
                said += due
            await asyncio.sleep(max(PACE, (said + 1) / rate + began - loop.time()))

    async def _grow(self) -> None:
        """Allocate memory and keep it."""
        self._leaked.append(os.urandom(int(self._leak * 2**20 / 100)))
        await asyncio.sleep(0.01)

"""A client of the gateway that records events, and waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from ipc.frames.websocket import Event
from ipc.websocket.client import Client
from tests.support.daemon import Daemon
from tests.support.until import PATIENCE


class Watcher:
    """A gateway client that records every ``channel.*`` event, in order."""

    def __init__(self) -> None:
        self.client: Client
        self.messages: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def take(self, event: Event) -> None:
        """Record one event."""
        if event.event == "channel.message":
            self.messages.append(msgspec.json.decode(event.payload))  # type: ignore[arg-type]
        elif event.event == "channel.status":
            self.statuses.append(msgspec.json.decode(event.payload))  # type: ignore[arg-type]
        self._news.set()

    def texts(self, account: str, direction: str = "in") -> list[str]:
        """Return the texts of an account's messages, in order."""
        return [
            message["message"]["text"]
            for message in self.messages
            if message["account"] == account and message["direction"] == direction
        ]

    def phases(self, account: str) -> list[str]:
        """Return the phases an account went through, repetitions folded."""
        found: list[str] = []
        for status in self.statuses:
            if status["account"] == account and found[-1:] != [status["phase"]]:
                found.append(status["phase"])
        return found

    async def heard(self, account: str, count: int = 1, direction: str = "in") -> list[str]:
        """Wait until an account has received ``count`` messages; return their texts."""
        await self.until(lambda: len(self.texts(account, direction)) >= count)
        return self.texts(account, direction)

    async def until(self, true: Callable[[], Any]) -> Any:
        """Wait until ``true()``, checked after each event; return its result."""
        async with asyncio.timeout(PATIENCE):
            while not (value := true()):
                self._news.clear()
                await self._news.wait()
        return value


@asynccontextmanager
async def watching(daemon: Daemon, **kwargs: Any) -> AsyncIterator[Watcher]:
    """Connect a watcher to the daemon's gateway."""
    watcher = Watcher()
    watcher.client = await daemon.client(on_event=watcher.take, **kwargs)
    try:
        yield watcher
    finally:
        await watcher.client.close()

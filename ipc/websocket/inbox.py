"""Passes a client's events to its listener, or queues them until they are read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from ipc.frames.websocket import Event

EVENTS_KEPT = 10_000  # for ``events()``; beyond it the oldest go, counted in ``dropped``
OnEvent = Callable[[Event], None]


class Inbox:
    """Calls ``on_event`` with every event at once; without it, keeps them for ``events``."""

    def __init__(self, place: str, on_event: OnEvent | None) -> None:
        self.dropped = 0
        self._place = place
        self._on_event = on_event
        self._kept: deque[Event] = deque()
        self._news = asyncio.Event()
        self._ended = False

    def put(self, event: Event) -> None:
        """Pass on or queue an event; an exception of the listener goes to the loop's handler."""
        if self._on_event is None:
            if len(self._kept) >= EVENTS_KEPT:
                self._kept.popleft()
                self.dropped += 1
            self._kept.append(event)
            self._news.set()
            return
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - the session outlives its listener's fault
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"listener of {self._place}: {error}", "exception": error}
            )

    def end(self) -> None:
        """End ``events`` after the queued events."""
        self._ended = True
        self._news.set()

    async def events(self) -> AsyncIterator[Event]:
        """Yield queued and new events until ``end``. For one reader."""
        while True:
            while self._kept:
                yield self._kept.popleft()
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()

"""Makes the messages of the sources written in Python, and keeps their rate.

The same message as an account of the product emits, encoded in the same way: what is compared
is what becomes of it, not how it is made.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from workers.links.events import EventEncoder, body_of
from workers.messages import Chat, Inbound, Sender

CHAT = Chat(id="load", kind="group", title="Load")
SENDER = Sender(id="load", name="load", bot=True)
BATCH = 128  # messages per turn of the loop, as in the product
PACE = 0.002  # seconds


class Payloads:
    """Makes the payloads of one source. All have the same length for the same ``size``."""

    def __init__(self, name: str) -> None:
        self._events = EventEncoder(f"source:{name}", 1)
        self.number = 1_000_000_000  # so many digits that the length stays the same

    def payload(self, size: int) -> bytes:
        """Return the next payload."""
        self.number = number = self.number + 1
        text = f"{number:010} {time.monotonic_ns():019} {'x' * size}"[:size]
        now = int(time.time() * 1000)
        message = Inbound(f"{number}", CHAT, SENDER, text, now)
        return self._events.inbound(number, body_of(message))


class Orders:
    """Reads ``rate size`` lines from stdin and counts how many messages are due."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.rate, self.size = 0.0, 200
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._began, self._emitted = 0.0, 0
        self._input = os.fdopen(0, "rb", buffering=0, closefd=False)
        self._loop.add_reader(0, self._read)

    def _read(self) -> None:
        line = self._input.readline()
        if not line:
            self._loop.stop()
            return
        rate, size = line.split()
        self.rate, self.size = float(rate), int(size)
        self._began, self._emitted = self._loop.time(), 0
        self._changed()

    def due(self) -> int:
        """Return how many messages to emit now."""
        if self.rate < 0:
            return BATCH
        return min(BATCH, int((self._loop.time() - self._began) * self.rate) - self._emitted)

    def emitted(self, count: int) -> None:
        """Count what was emitted."""
        self._emitted += count

    def wait(self) -> float:
        """Return the seconds until the next message is due."""
        if self.rate <= 0:
            return 0.0
        next_at = self._began + (self._emitted + 1) / self.rate
        return max(PACE, next_at - self._loop.time())

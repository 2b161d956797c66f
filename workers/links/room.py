"""Who waits for room in the outbox, served in the order of arrival.

One future each, and only as many are woken as find a place: one shared event would wake
thousands of emitters for every acknowledgement.
"""

from __future__ import annotations

import asyncio
from collections import deque

from workers.links.backlog import Outbox


class Room:
    """The waiting room before ``outbox``."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Let the loop turn once, then wait until the outbox is below its bounds."""
        await asyncio.sleep(0)
        while self._outbox.full:
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self.offer()  # it was offered to us: pass it on
                raise

    def offer(self) -> None:
        """Wake as many as there is room for."""
        outbox = self._outbox
        free = outbox.max_messages - len(outbox)
        while self._waiting and free > 0 and not outbox.full:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1

    def close(self) -> None:
        """Nobody will be served any more."""
        for place in self._waiting:
            place.cancel()

"""Waits, for tasks, for room on the data link and for acknowledgements.

Each waiter has its own future, and only those that can continue are woken: a shared event would
wake thousands of tasks at every acknowledgement.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque

from workers.links.backlog import Backlog


class WaitingEmitters:
    """The tasks that wait for room in ``backlog``, woken in order of arrival."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Yield to the loop once, then wait until the backlog is below its bounds."""
        await asyncio.sleep(0)
        while self._backlog.full:
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self.wake()  # this place is not used: pass it on
                raise

    def wake(self) -> None:
        """Wake as many tasks as there is room for."""
        backlog = self._backlog
        free = backlog.max_messages - len(backlog)
        while self._waiting and free > 0 and not backlog.full:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1

    def cancel(self) -> None:
        """Cancel all that wait."""
        for place in self._waiting:
            place.cancel()


class Goals:
    """The tasks that wait until a number is reached, the lowest first."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._closed = False
        self._count = 0

    async def wait(self, number: int) -> None:
        """Wait until ``reach`` is called with ``number`` or more.

        Raises ``CancelledError`` if the link closes meanwhile or is closed.
        """
        if self._closed:
            raise asyncio.CancelledError("the worker ends")
        goal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (number, self._count, goal))
        await goal

    def reach(self, number: int) -> None:
        """Wake all that wait for ``number`` or less."""
        while self._waiting and self._waiting[0][0] <= number:
            goal = heapq.heappop(self._waiting)[2]
            if not goal.done():
                goal.set_result(None)

    def cancel(self) -> None:
        """Cancel all waiting tasks, and all later ones."""
        self._closed = True
        for _, _, goal in self._waiting:
            goal.cancel("the worker ends")
        self._waiting.clear()

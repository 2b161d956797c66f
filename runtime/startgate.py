"""How many accounts may be starting at the same moment, and who goes first.

Bounded so that 500 accounts do not start in one burst; an operator's start goes to the
head of the queue. A place is held only until the new worker has said hello, or for a few
seconds: an account that hangs while it starts must not hold up the others.
"""

from __future__ import annotations

import asyncio
from collections import deque


class StartGate:
    """Places by name. They are given back from callbacks (a hello, an exit), hence no context."""

    def __init__(self, limit: int, *, patience: float = 2.0) -> None:
        self.limit = limit
        self._patience = patience
        self._inside: dict[str, asyncio.TimerHandle] = {}
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    async def enter(self, name: str, *, urgent: bool = False) -> None:
        """Wait for a place. ``urgent`` goes ahead of everybody who waits already."""
        if len(self._inside) < self.limit and not self._waiting:
            self._admit(name)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (name, turn)
        if urgent:
            self._waiting.appendleft(entry)
        else:
            self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(name)
            elif entry in self._waiting:
                self._waiting.remove(entry)
            raise

    def leave(self, name: str) -> None:
        """Give the place back; harmless when ``name`` holds none."""
        timer = self._inside.pop(name, None)
        if timer is None:
            return
        timer.cancel()
        while self._waiting and len(self._inside) < self.limit:
            waiting, turn = self._waiting.popleft()
            if not turn.done():
                self._admit(waiting)
                turn.set_result(None)

    def close(self) -> None:
        """Forget everybody; pending timers are cancelled."""
        for timer in self._inside.values():
            timer.cancel()
        self._inside.clear()

    def _admit(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        old = self._inside.pop(name, None)
        if old is not None:
            old.cancel()
        self._inside[name] = loop.call_later(self._patience, self.leave, name)

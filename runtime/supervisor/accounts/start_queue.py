"""Limits how many accounts start at the same moment, and decides which goes first.

The limit keeps 500 accounts from starting in one burst; an operator's start goes first. A place
is held until the new worker has sent its hello, or for a few seconds at most: an account that
hangs during its start must not delay the others.
"""

from __future__ import annotations

import asyncio

import msgspec

from ipc.calls import RESOLUTION


class Withdrawn(Exception):
    """The account was stopped while it waited for its turn to start."""

    def __init__(self) -> None:
        super().__init__("stopped while it waited for its turn")


class _Turn(msgspec.Struct, eq=False):
    name: str
    urgent: bool
    admitted: asyncio.Future[bool]  # false: withdrawn


class StartQueue:
    """Limits how many accounts start at a time: each holds a place, by name, while it starts.

    Places are given back in callbacks (of a hello or an exit), so it is not a context manager.
    ``patience`` is the longest time in seconds that a place is held. ``interval``, which may be set
    at any time, is the least time in seconds between two automatic starts.
    """

    def __init__(self, limit: int, *, patience: float = 2.0) -> None:
        self._limit = limit
        self._patience = patience
        self._interval = 0.0
        self._next = 0.0  # when the next automatic start may be, on the loop's clock
        self._timer: asyncio.TimerHandle | None = None
        self._inside: dict[str, asyncio.TimerHandle] = {}
        self._waiting: list[_Turn] = []

    def set_limit(self, limit: int) -> None:
        """Set how many places there are, from the next start on."""
        self._limit = limit

    async def acquire(self, name: str, *, urgent: bool = False) -> None:
        """Wait for a place; raises ``Withdrawn``. An ``urgent`` one passes those that are not."""
        if not self._waiting and self._may_admit(urgent):
            self._admit(name, urgent)
            return
        turn = _Turn(name, urgent, asyncio.get_running_loop().create_future())
        self._queue(turn)
        self._admit_due()
        try:
            admitted = await turn.admitted
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.admitted.cancelled():
                self.release(name)  # its turn had come in the same moment
            raise
        if not admitted:
            raise Withdrawn

    def to_front(self, name: str) -> None:
        """Move ``name`` to the front of the queue, for an operator."""
        for turn in [turn for turn in self._waiting if turn.name == name and not turn.urgent]:
            self._waiting.remove(turn)
            turn.urgent = True
            self._queue(turn)
        self._admit_due()

    def withdraw(self, name: str) -> None:
        """Remove ``name`` from the queue: its ``acquire`` raises ``Withdrawn``."""
        for turn in [turn for turn in self._waiting if turn.name == name]:
            self._waiting.remove(turn)
            if not turn.admitted.done():
                turn.admitted.set_result(False)

    def release(self, name: str) -> None:
        """Release the place of ``name``; does nothing when it holds none."""
        timer = self._inside.pop(name, None)
        if timer is None:
            return
        timer.cancel()
        self._admit_due()

    @property
    def interval(self) -> float:
        """Seconds between two automatic starts; 0: no pause."""
        return self._interval

    @interval.setter
    def interval(self, seconds: float) -> None:
        if seconds == self._interval:
            return
        self._interval = seconds
        self._next = asyncio.get_running_loop().time() + seconds
        self._admit_due()

    def close(self) -> None:
        """Cancel all timers and forget who holds a place."""
        if self._timer is not None:
            self._timer.cancel()
        for timer in self._inside.values():
            timer.cancel()
        self._inside.clear()

    def _admit_due(self) -> None:
        """Admit all that may enter now; set a timer for the next one that must wait."""
        while self._waiting and self._may_admit(self._waiting[0].urgent):
            turn = self._waiting.pop(0)
            if not turn.admitted.done():  # done: its task is being cancelled
                self._admit(turn.name, turn.urgent)
                turn.admitted.set_result(True)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and len(self._inside) < self._limit:
            self._timer = asyncio.get_running_loop().call_at(self._next, self._admit_due)

    def _may_admit(self, urgent: bool) -> bool:
        if len(self._inside) >= self._limit:
            return False
        soon = asyncio.get_running_loop().time() + RESOLUTION
        return urgent or not self._interval or soon >= self._next

    def _queue(self, turn: _Turn) -> None:
        ahead = len(self._waiting)
        if turn.urgent:
            ahead = sum(other.urgent for other in self._waiting)
        self._waiting.insert(ahead, turn)

    def _admit(self, name: str, urgent: bool) -> None:
        old = self._inside.pop(name, None)
        if old is not None:
            old.cancel()
        loop = asyncio.get_running_loop()
        if not urgent:
            self._next = loop.time() + self._interval
        self._inside[name] = loop.call_later(self._patience, self.release, name)

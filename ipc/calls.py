"""Matches answers to pending requests by id.

It uses no socket. When a peer dies its calls fail at once instead of running into their timeout.
"""

from __future__ import annotations

import asyncio
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from ipc.errors import CallTimeout, PeerGone

PAUSE = 0.05  # seconds between two checks of all calls: many may be due one after the other
RESOLUTION = 0.001  # seconds: uvloop rounds the time of a timer, so it may fire early

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Waiter(Protocol[T_contra]):
    """The receiver of a call's result: a future, or an object that needs no task."""

    def done(self) -> bool:
        """Return whether the result is no longer needed."""

    def set_result(self, result: T_contra, /) -> None:
        """Receive the answer."""

    def set_exception(self, exception: Exception, /) -> None:
        """Receive the error of a failed call."""


class _Pending(msgspec.Struct, gc=False):
    waiter: Any
    peer: str
    deadline: float
    method: str
    seconds: float


class Calls(Generic[T]):
    """Pending calls by id. Ids count up from 1 and are never used twice.

    ``late`` counts the answers to calls that are not pending. One timer serves all calls, set for
    the first that can expire, because a timer per call cost more than everything else.
    """

    def __init__(self) -> None:
        self.late = 0
        self._last = 0
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._pending: dict[int, _Pending] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # when the timer fires

    def __len__(self) -> int:
        return len(self._pending)

    def start(self, peer: str, seconds: float, method: str) -> tuple[int, asyncio.Future[T]]:
        """Open a call to ``peer``; return its id and the future of its answer, for ``answer``.

        The future fails with ``CallTimeout`` after ``seconds``.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        return self.expect(future, peer, seconds, method), future

    def expect(self, waiter: Waiter[T], peer: str, seconds: float, method: str) -> int:
        """Open a call to ``peer``; ``waiter`` gets its result or error within ``seconds``."""
        self._last = number = self._last + 1
        deadline = self._now() + seconds
        self._pending[number] = _Pending(waiter, peer, deadline, method, seconds)
        if self._timer is None or deadline < self._due:
            self._set_timer(deadline)
        return number

    def peer_of(self, id: int) -> str | None:
        """Return the peer of the call ``id``; ``None`` if it is not pending."""
        entry = self._pending.get(id)
        return None if entry is None else entry.peer

    def resolve(self, id: int, result: T, peer: str | None = None) -> bool:
        """Resolve call ``id``; return ``False``, and count it as late, when it is not pending.

        The same if ``peer`` is given and is not the one that was called.
        """
        pending = self._pending
        entry = pending.get(id)
        if entry is None or (peer is not None and entry.peer != peer):
            self.late += 1
            return False
        del pending[id]
        if entry.waiter.done():  # a future is done here: its waiter was cancelled
            self.late += 1
            return False
        entry.waiter.set_result(result)
        return True

    def fail(self, id: int, error: Exception) -> bool:
        """Fail call ``id``; return ``False``, and count it as late, when it is not pending."""
        waiter = self._pop(id)
        if waiter is None:
            self.late += 1
            return False
        waiter.set_exception(error)
        return True

    def fail_peer(self, peer: str, error: Exception | None = None) -> int:
        """Fail every call to ``peer``, by default with ``PeerGone``; return their number."""
        theirs = [number for number, each in self._pending.items() if each.peer == peer]
        return self._fail_those(theirs, error)

    def fail_all(self, error: Exception | None = None) -> int:
        """Fail every call, by default each with its own ``PeerGone``; return their number."""
        count = self._fail_those(list(self._pending), error)
        if not self._pending and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return count

    def forget(self, id: int) -> None:
        """Drop call ``id``, so that its answer counts as late."""
        self._pop(id)

    async def answer(self, id: int, future: asyncio.Future[T]) -> T:
        """Wait for the answer of call ``id`` and return it; raises the error that it failed with.

        If the caller is cancelled, the call is dropped.
        """
        try:
            return await future
        finally:
            self.forget(id)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = when
        self._timer = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        """Fail the calls that are due, and set the timer for the next one."""
        self._timer, now = None, self._now()
        try:
            for number, entry in list(self._pending.items()):
                if entry.deadline <= now + RESOLUTION:
                    self.fail(number, CallTimeout(entry.method, entry.seconds))
        finally:
            if self._pending:
                first = min(entry.deadline for entry in self._pending.values())
                self._set_timer(max(first, now + PAUSE))

    def _pop(self, id: int) -> Waiter[T] | None:
        entry = self._pending.pop(id, None)
        if entry is None or entry.waiter.done():  # as in ``settle``
            return None
        waiter: Waiter[T] = entry.waiter
        return waiter

    def _fail_those(self, numbers: list[int], error: Exception | None) -> int:
        for number in numbers:
            peer = self._pending[number].peer
            self.fail(number, error or PeerGone(peer, maybe_executed=True))
        return len(numbers)

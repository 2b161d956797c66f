"""Requests on their way: which future waits for which answer, and who has to give it.

Knows no socket. When a peer dies its calls fail at once instead of running into their timeout.
"""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from ipc.errors import CallTimeout, PeerGone

T = TypeVar("T")


class Calls(Generic[T]):
    """Pending calls by id. Ids count up from 1 and are never used twice.

    ``late`` counts answers that nobody waits for any more (or never did).
    """

    def __init__(self) -> None:
        self.late = 0
        self._last = 0
        self._pending: dict[int, tuple[asyncio.Future[T], str]] = {}
        self._by_peer: dict[str, set[int]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def start(self, peer: str) -> tuple[int, asyncio.Future[T]]:
        """Open a call to ``peer`` and return its id and the future of its answer."""
        self._last += 1
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending[self._last] = future, peer
        ids = self._by_peer.get(peer)
        if ids is None:
            self._by_peer[peer] = {self._last}
        else:
            ids.add(self._last)
        return self._last, future

    def settle(self, id: int, result: T) -> bool:
        """Give the answer of call ``id``; ``False`` (and counted) when it came too late."""
        future = self._take(id)
        if future is None:
            self.late += 1
            return False
        future.set_result(result)
        return True

    def fail(self, id: int, error: Exception) -> bool:
        """Fail call ``id``; ``False`` (and counted) when nobody waits for it."""
        future = self._take(id)
        if future is None:
            self.late += 1
            return False
        future.set_exception(error)
        return True

    def fail_peer(self, peer: str, error: Exception | None = None) -> int:
        """Fail every call to ``peer`` and return how many: by default with ``PeerGone``."""
        pending = list(self._by_peer.get(peer, ()))
        for call in pending:
            self.fail(call, error or PeerGone(peer, maybe_executed=True))
        return len(pending)

    def fail_all(self, error: Exception | None = None) -> int:
        """Fail every call and return how many, each by default with its own ``PeerGone``."""
        return sum(self.fail_peer(peer, error) for peer in list(self._by_peer))

    def forget(self, id: int) -> None:
        """Drop call ``id``: its answer will count as late."""
        self._take(id)

    async def wait(self, id: int, timeout: float, method: str = "call") -> T:
        """Return the answer of call ``id``, or raise what it failed with.

        ``CallTimeout`` after ``timeout`` seconds. A caller that is cancelled drops the call.
        """
        entry = self._pending.get(id)
        if entry is None:
            raise LookupError(f"call {id} is not pending")
        return await self.answer(id, entry[0], timeout, method)

    async def answer(self, id: int, future: asyncio.Future[T], timeout: float, method: str) -> T:
        """Do as ``wait``, for a call whose answer may be there already."""
        # A timer of our own: ``asyncio.timeout`` costs three times as much.
        timer = asyncio.get_running_loop().call_later(timeout, self._expire, id, method, timeout)
        try:
            return await future
        finally:
            timer.cancel()
            self.forget(id)

    def _expire(self, id: int, method: str, timeout: float) -> None:
        future = self._take(id)
        if future is not None:
            future.set_exception(CallTimeout(method, timeout))

    def _take(self, id: int) -> asyncio.Future[T] | None:
        entry = self._pending.pop(id, None)
        if entry is None:
            return None
        future, peer = entry
        ids = self._by_peer[peer]
        ids.discard(id)
        if not ids:
            del self._by_peer[peer]
        return None if future.done() else future  # done here means: its waiter was cancelled

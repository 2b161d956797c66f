"""Runs the work for each idempotency key once, and returns its result to repeated requests.

The last 1,000 keys are remembered for 300 s, including those in flight. A failed key is forgotten
at once, so that it can be tried again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from math import inf
from typing import Any, TypeVar, cast

T = TypeVar("T")

MAX_KEYS = 1_000
KEEP = 300.0  # seconds after it was done


class Once:
    """Keeps results by key.

    ``now`` is a monotonic clock in seconds; ``interrupted`` creates the error for callers that wait
    for work that is cancelled.
    """

    def __init__(
        self,
        now: Callable[[], float],
        interrupted: Callable[[], Exception],
        *,
        max_keys: int = MAX_KEYS,
        keep: float = KEEP,
    ) -> None:
        self._now = now
        self._interrupted = interrupted
        self._max_keys = max_keys
        self._keep = keep
        # Most keys are asked for once: a future is made only for the first that asks again.
        self._flying: dict[Hashable, asyncio.Future[Any] | None] = {}
        self._done: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()  # oldest first
        self._expiry = -inf  # no result is to be forgotten before

    def __len__(self) -> int:
        return len(self._flying) + len(self._done)

    async def once(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of ``work()``, which is called only if ``key`` is new.

        Raises the exception of ``work``, to every waiting caller.
        """
        if key in self._done:
            self._forget(self._now())
            if key in self._done:
                return cast(T, self._done[key][1])
        if key in self._flying:
            return cast(T, await self._share(key))
        self._flying[key] = None
        try:
            result = await work()
        except BaseException as error:
            shared = self._flying.pop(key)
            if shared is not None:
                cancelled = isinstance(error, asyncio.CancelledError)
                shared.set_exception(self._interrupted() if cancelled else error)
                shared.exception()  # seen, even when the callers that waited have given up
            raise
        shared = self._flying.pop(key)
        if shared is not None:
            shared.set_result(result)
        now = self._now()
        self._done[key] = (now, result)
        if len(self._done) > self._max_keys:
            self._done.popitem(last=False)
        if now >= self._expiry:
            self._forget(now)
        return result

    def forget(self, key: Hashable) -> None:
        """Drop a result, for example because it is too large to keep."""
        self._done.pop(key, None)

    def _share(self, key: Hashable) -> asyncio.Future[Any]:
        shared = self._flying[key]
        if shared is None:
            shared = self._flying[key] = asyncio.get_running_loop().create_future()
        # Shielded: one caller that gives up must not take the result from the others.
        return asyncio.shield(shared)

    def _forget(self, now: float) -> None:
        """Drop expired results, and compute when the next one expires."""
        done, horizon = self._done, now - self._keep
        while done and next(iter(done.values()))[0] <= horizon:
            done.popitem(last=False)
        self._expiry = next(iter(done.values()))[0] + self._keep if done else -inf

"""Each key is sent once.

Only the worker knows what was really sent, so it is the worker that remembers: the last
1,000 keys for 300 s, those in flight included. Who asks again with the same key gets the
first one's result, without a second message on the platform. A failed send is forgotten at
once, so that it can be tried again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from workers.errors import SendFailed

T = TypeVar("T")

MAX_KEYS = 1_000
KEEP = 300.0  # seconds after the send was done


class Sends:
    """Results of sends by key. ``now`` is a monotonic clock in seconds."""

    def __init__(
        self, now: Callable[[], float], *, max_keys: int = MAX_KEYS, keep: float = KEEP
    ) -> None:
        self._now = now
        self._max_keys = max_keys
        self._keep = keep
        self._flying: dict[str, asyncio.Future[Any]] = {}
        self._done: OrderedDict[str, tuple[float, Any]] = OrderedDict()  # oldest first

    def __len__(self) -> int:
        return len(self._flying) + len(self._done)

    async def once(self, key: str, send: Callable[[], Awaitable[T]]) -> T:
        """Return the result of ``send()``, called only when ``key`` is new.

        Raises what ``send`` raised, to everybody who waited for it.
        """
        self._forget()
        if key in self._done:
            return cast(T, self._done[key][1])
        if key in self._flying:
            # Shielded: one caller that gives up must not take the result from the others.
            return cast(T, await asyncio.shield(self._flying[key]))
        shared: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._flying[key] = shared
        try:
            sent = await send()
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                shared.set_exception(SendFailed("the account is stopping", retryable=True))
            else:
                shared.set_exception(error)
            shared.exception()  # seen, even when nobody else waits
            raise
        else:
            shared.set_result(sent)
            self._done[key] = (self._now(), sent)
            return sent
        finally:
            del self._flying[key]

    def _forget(self) -> None:
        horizon = self._now() - self._keep
        done = self._done
        while done and (len(done) > self._max_keys or next(iter(done.values()))[0] <= horizon):
            done.popitem(last=False)

"""Opens one session after another to the same server, with the waits of a policy.

For every client that stays: the supervisor's link to its own gateway, its session to one that
is not ours, and ``ReconnectingClient``. What makes a failure final is each client's to say.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from ipc.errors import PeerGone
from ipc.websocket.backoff import Backoff, RetryPolicy

C = TypeVar("C")


class Failure(msgspec.Struct, frozen=True):
    """A failed attempt to open a session, or the end of one.

    ``earlier`` counts the failures in a row before it, ``without`` the seconds since there
    was a session (or since the first try), ``wait`` those until the next try.
    """

    error: Exception
    earlier: int
    without: float
    wait: float


class ReconnectLoop(Generic[C]):
    """Connects, serves the session until it ends, and reconnects.

    ``connect()`` opens a session; ``serve(session)`` returns why it has ended, or raises what
    kept it from working. ``on_lost(reason)`` is called after each that worked: then the next
    try follows at once, unless the session lived for less than ``proven`` seconds.
    ``on_failure(failure)`` is called before each wait. Both return whether to go on, and what
    they raise ends the loop. ``attempts`` counts the tries.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[C]],
        serve: Callable[[C], Awaitable[str]],
        *,
        policy: RetryPolicy,
        on_lost: Callable[[str], bool],
        on_failure: Callable[[Failure], bool],
        proven: float = 0.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.attempts = 0
        self._connect = connect
        self._serve = serve
        self._backoff = Backoff(policy, chance)
        self._on_lost = on_lost
        self._on_failure = on_failure
        self._proven = proven

    async def run(self) -> None:
        """Keep a session open until cancelled, or until a callback ends it."""
        loop = asyncio.get_running_loop()
        since = loop.time()  # there has been no session
        while True:
            self.attempts += 1
            opened = None
            try:
                session = await self._connect()
                opened = loop.time()
                reason = await self._serve(session)
            except Exception as error:  # noqa: BLE001 - ``on_failure`` raises unknown errors
                _raise_cancellation()
                earlier, wait = self._backoff.failures, self._backoff.wait(error)
                if not self._on_failure(Failure(error, earlier, loop.time() - since, wait)):
                    return
                await asyncio.sleep(wait)
                continue
            _raise_cancellation()
            if not self._on_lost(reason):
                return
            if loop.time() - opened >= self._proven:
                self._backoff.reset()
            else:
                lost = PeerGone("the session", maybe_executed=False)
                await asyncio.sleep(self._backoff.wait(lost))
            since = loop.time()


def _raise_cancellation() -> None:
    """Raise a cancellation that came together with an error, which 3.11's TaskGroup would drop."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError

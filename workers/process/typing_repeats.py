"""Repeats a typing notice for as long as a turn lasts; platforms show one for seconds.

A client asks once. Repeating ends with the next message to that chat, at the client's request, and
after a time limit, which a client that still works renews by asking again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from ipc import timeouts
from workers.messages import Action

BOUND = 120.0  # seconds since it was asked for last
EARLY = 0.8  # of the time for which the platform shows it: then it is shown again
MOST = 64  # chats; with more the one that was asked for first is not repeated any more

Show = Callable[[Action], Awaitable[Any]]
Place = tuple[str, str | None]


class TypingRepeater:
    """Repeats the typing state of one account. ``shown``: the seconds it is visible; 0: no repeats.

    ``fail(error)`` is called when a repetition fails, which ends it for that chat.
    """

    def __init__(self, shown: float, fail: Callable[[Exception], None]) -> None:
        self._pause = shown * EARLY
        self._fail = fail
        self._loop = asyncio.get_running_loop()
        self._closed = False
        # Those that are shown, the oldest first; a task is ``None`` until it was shown once.
        self._shown: OrderedDict[Place, asyncio.Task[None] | None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def show(self, show: Show, action: Action) -> Any:
        """Call ``show`` and repeat it; return the result of the first call.

        With ``remove`` repeating ends. Raises what ``show`` raises.
        """
        place = (action.chat or "", action.thread)
        self._end(place)
        if action.remove or not self._pause or self._closed:
            return await show(action)
        self._shown[place] = None
        try:
            result = await show(action)
        except BaseException:
            self._end(place)
            raise
        if place in self._shown:  # no message has gone there meanwhile
            self._end(place)
            task = self._loop.create_task(self._repeat(place, show, action))
            self._shown[place] = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if len(self._shown) > MOST:
                self._end(next(iter(self._shown)))
        return result

    def end(self, chat: str) -> None:
        """Stop repeating in a chat and all its threads, because a message is sent there."""
        if self._shown:
            for place in [each for each in self._shown if each[0] == chat]:
                self._end(place)

    def close(self) -> None:
        """Stop all repeating."""
        self._closed = True
        for place in list(self._shown):
            self._end(place)

    async def finish(self) -> None:
        """Stop all repeating, and wait for running calls."""
        self.close()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _end(self, place: Place) -> None:
        task = self._shown.pop(place, None)
        if task is not None:
            task.cancel()

    async def _repeat(self, place: Place, show: Show, action: Action) -> None:
        try:
            async with timeouts.timeout(BOUND):
                while True:
                    await asyncio.sleep(self._pause)
                    await show(action)
        except TimeoutError:
            pass  # the bound, or a platform that does not answer
        except Exception as error:  # noqa: BLE001 - a plugin's fault ends this, not the worker
            self._fail(error)
        if self._shown.get(place) is asyncio.current_task():
            del self._shown[place]

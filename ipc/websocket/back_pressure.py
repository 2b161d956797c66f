"""Holds producers back for a moment while clients are behind, as long as these are reading.

A flood is then as fast as the clients that read can read it, and does not get them closed. For a
few slow ones among others no producer waits longer than one check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ipc.websocket.unread import SlowReader

CHECK_SECONDS = 0.25  # between two checks of the clients that are behind


class BackPressure:
    """The clients of a server that are behind; it is true while producers should wait.

    ``count()`` returns how many clients the server has, ``on_over()`` is called when producers may
    go on.
    """

    def __init__(self, count: Callable[[], int], on_over: Callable[[], None]) -> None:
        self._count = count
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._behind: dict[SlowReader, int] = {}  # what each had unread at the last check
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self._behind)

    def on_behind(self, client: SlowReader) -> None:
        """Hold producers back for a client that has not read what fills its buffers."""
        self._behind[client] = client.buffered_bytes
        if self._timer is None:
            self._timer = self._loop.call_later(CHECK_SECONDS, self._check)

    def on_caught_up(self, client: SlowReader) -> None:
        """Handle that a client has read, or is gone; without another that is behind it is over."""
        if self._behind.pop(client, None) is not None and not self._behind:
            self._end()

    def close(self) -> None:
        """Check no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        """Continue while most clients are behind and reading: more comes than can be read here."""
        self._behind = {
            each: left
            for each, before in self._behind.items()
            if (left := each.buffered_bytes) < before
        }
        if self._behind and 2 * len(self._behind) >= self._count():
            self._timer = self._loop.call_later(CHECK_SECONDS, self._check)
        else:
            self._end()

    def _end(self) -> None:
        self.close()
        self._timer = None
        self._behind.clear()
        self._on_over()

"""Connects an agent's process to the gateway: adds the frames of turns to the data link.

The frames of turns have their own numbers and acknowledgements, apart from messages. Unacknowledged
frames are sent again after a lost connection, and when the gateway begins a turn that it has
already begun.
"""

from __future__ import annotations

import asyncio

from structlog.typing import FilteringBoundLogger

from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.data import Welcome, encode
from workers.links.data import OnCall, WorkerDataLink
from workers.links.turn_queue import TurnLog, TurnQueue

PACKS = 16  # at once; then the loop turns, so that a burst delays nothing else for long


class AgentDataLink(WorkerDataLink):
    """The data link of an agent's incarnation; ``queue`` holds the output of its turns."""

    def __init__(self, boot: WorkerBoot, on_call: OnCall, log: FilteringBoundLogger) -> None:
        super().__init__(boot, on_call, log)
        self.queue = TurnQueue()
        self._empty: asyncio.Future[None] | None = None

    def send_turn(self, log: TurnLog) -> None:
        """Send the pending frames of a turn at the end of this loop iteration."""
        self.queue.schedule(log)
        self._schedule()

    def forget_turn(self, log: TurnLog) -> None:
        """Drop a turn whose end is acknowledged."""
        self.queue.forget(log)
        self._notify_quiet()

    def close(self) -> None:
        """Close at once; await ``wait_settled`` before to leave nothing unsent."""
        super().close()
        if self._empty is not None:
            self._empty.cancel()

    async def wait_ends_acknowledged(self) -> None:
        """Wait until the end of every turn that has ended is acknowledged."""
        while any(log.ended for log in self.queue.logs.values()):
            self._empty = self._loop.create_future()
            await self._empty

    def _notify_quiet(self) -> None:
        super()._notify_quiet()
        if self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    def _flush(self) -> None:
        super()._flush()
        if not self._welcome or self._dealer is None or self._dealer.closed:
            return
        for _ in range(PACKS):
            pack = self.queue.next_pack()
            if not pack:
                return
            if not self._dealer.send(encode(pack)):
                self.queue.requeue(pack)  # ``_flush`` is called when there is room
                return
        if self.queue:
            self._schedule()

    def _on_welcome(self, frame: Welcome) -> None:
        if not frame.early and not (self._welcome and frame.gateway == self._gateway):
            self.queue.resend()
        super()._on_welcome(frame)

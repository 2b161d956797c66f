"""Keeps the young connections of one server: accepts them, takes them over, lets them go."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Protocol, cast

from ipc.websocket.resumption import (
    FINISHED,
    MAX_SECONDS,
    RESUMED,
    UNNOTED,
    Drop,
    Finish,
    Resume,
    Resumption,
    decide,
)
from ipc.websocket.young import YoungOwner, YoungSlot, YoungSocket
from ipc.websocket.young_shares import find_evictable

CHECK_SECONDS = 5.0  # between two checks for connections that have been young for too long
FULL_SECONDS = 0.05  # until it is checked again whether one gives way, when none has

_log = logging.getLogger(__name__)


class SlotSource(Protocol):
    """The slots of a process."""

    def filled(self) -> Sequence[tuple[YoungSlot, socket.socket]]:
        """Return those that another process has left filled, with their sockets."""

    def reserve(self, fd: int, /) -> YoungSlot | None:
        """Reserve a slot for this socket and return it; ``None``: it is not kept."""


class NoSlots:
    """The slots of a process whose connections all end with it."""

    def filled(self) -> Sequence[tuple[YoungSlot, socket.socket]]:
        """Return none."""
        return ()

    def reserve(self, fd: int, /) -> YoungSlot | None:
        """Reserve none."""


class YoungSockets:
    """The young connections of one server, and the slots that their sockets are in.

    ``make()`` returns a new connection.
    """

    def __init__(self, slots: SlotSource, make: Callable[[], YoungOwner]) -> None:
        self._slots = slots
        self._left = slots.filled()  # before one of them is taken for a free one
        self._make = make
        self._young: set[YoungSocket] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._full_until = 0.0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, young: YoungSocket) -> None:
        """Add a connection that is young."""
        self._young.add(young)
        if self._timer is None:
            self._timer = self._loop.call_later(CHECK_SECONDS, self._settle_old)

    def discard(self, young: YoungSocket) -> None:
        """Remove a connection that is no longer young, or has ended."""
        self._young.discard(young)

    def close(self) -> None:
        """Stop the timer that settles old connections; each still frees its slot when it ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def take_over(self) -> dict[str, int]:
        """Take over the connections of a killed process; return their number by outcome.

        What is read of one, it reads again.
        """
        became: dict[str, int] = {}
        left, self._left = self._left, ()
        for slot, sock in left:
            word = await self._recover(slot, sock)
            became[word] = became.get(word, 0) + 1
        return became

    def drop_left(self) -> None:
        """End the connections of a process that was killed, instead of taking them over."""
        left, self._left = self._left, ()
        for slot, sock in left:
            sock.close()
            slot.release()

    def begin(self, sock: socket.socket) -> None:
        """Begin a connection on a new socket. Reserve its slot first: until then a kill ends it."""
        slot = self._slots.reserve(sock.fileno())
        if slot is None and self._make_room():
            slot = self._slots.reserve(sock.fileno())
        sock.setblocking(False)
        task = self._loop.create_task(self._open(slot, sock, None))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _make_room(self) -> bool:
        """Free the slot of a young connection for a new one; return whether one was freed.

        It costs little however many come: each that gives way has had its slot for a while, and
        where none does the next check waits.
        """
        now = monotonic()
        if now < self._full_until:
            return False
        young = find_evictable(each for each in self._young if each.caught_up)
        if young is None:
            self._full_until = now + FULL_SECONDS
            return False
        young.release()
        return True

    async def _open(
        self, slot: YoungSlot | None, sock: socket.socket, resumed: Resume | None
    ) -> None:
        """Begin a connection on a socket, behind what notes it where there is a slot."""
        protocol: asyncio.BaseProtocol = (
            cast(asyncio.BaseProtocol, self._make())
            if slot is None
            else YoungSocket(self._make, self, slot, resumed)
        )
        await self._loop.connect_accepted_socket(lambda: protocol, sock)

    async def _recover(self, slot: YoungSlot, sock: socket.socket) -> str:
        verdict = _verdict_on(slot, sock)
        if isinstance(verdict, Resume):
            slot.take_over()
            await self._open(slot, sock, verdict)
            return RESUMED
        if isinstance(verdict, Finish):
            _send(sock, verdict.rest)
        sock.close()
        slot.release()
        return verdict.reason if isinstance(verdict, Drop) else FINISHED

    def _settle_old(self) -> None:
        """Free the slots of connections that have been young for too long."""
        self._timer = None
        for young in list(self._young):
            if young.age > MAX_SECONDS:
                young.release()
        if self._young:
            self._timer = self._loop.call_later(CHECK_SECONDS, self._settle_old)


def _verdict_on(slot: YoungSlot, sock: socket.socket) -> Resumption:
    """Return what becomes of a connection, whatever was left of it: this process must start."""
    try:
        return decide(slot.facts(sock), slot.notes())
    except Exception:  # noqa: BLE001 - a broken process may have left anything
        _log.exception("what was left of a connection cannot be read")
        return Drop(UNNOTED)


def _send(sock: socket.socket, rest: bytes) -> None:
    """Send the end of what was being sent, as far as the kernel takes it at once."""
    with suppress(OSError):  # its client has gone, or does not read
        sock.send(rest)
        sock.shutdown(socket.SHUT_WR)

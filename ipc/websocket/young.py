"""Records what passes between a socket and its connection while that is young.

A connection is young until its first request after the hello is answered, or until it becomes
HTTP. Its socket is in a slot meanwhile (``young_slots``), so that it outlives this process. Then
this object steps out of the way: nothing of it is left in the path of an older connection.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Protocol, cast

from ipc.websocket.resumption import Notes, Resume, SocketFacts, head_of
from ipc.websocket.young_shares import YoungStage

MAX_SLOTS = 64
SLOT_BYTES = 256 * 1024  # of address space: a page that is not written takes no memory
WRITTEN_SECONDS = 0.05  # until it is checked whether an answer has left


class YoungSlot(Protocol):
    """Interface of a slot for one socket and its notes (``young_slots``)."""

    @property
    def age(self) -> float:
        """Seconds since its socket was accepted."""

    @property
    def silent(self) -> bool:
        """True while nothing has come."""

    def record_received(self, data: bytes, /) -> bool:
        """Record received data; return false if it is too much."""

    def record_sent(self, data: bytes, /) -> bool:
        """Record data that is about to be sent; return false if it is too much."""

    def facts(self, sock: socket.socket, /) -> SocketFacts:
        """Return the kernel's state of the socket."""

    def notes(self) -> Notes:
        """Return the notes of the process before."""

    def take_over(self) -> None:
        """Continue after these notes."""

    def release(self) -> None:
        """Release the socket."""


class YoungRegistry(Protocol):
    """Interface of the registry of a server's young connections (``young_sockets``)."""

    def add(self, young: YoungSocket, /) -> None:
        """Add a connection that is young."""

    def discard(self, young: YoungSocket, /) -> None:
        """Remove a connection that is no longer young, or has ended."""


class YoungOwner(Protocol):
    """The connection behind a young socket: an asyncio protocol that can change its transport."""

    loop: asyncio.AbstractEventLoop

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait in this process for the client to read."""

    def continue_on(self, transport: asyncio.Transport, /) -> None:
        """Use another transport from now on."""

    def connection_made(self, transport: asyncio.BaseTransport, /) -> None:
        """Begin on a new socket."""

    def data_received(self, data: bytes, /) -> None:
        """Handle received data."""

    def eof_received(self) -> None:
        """Handle the end of the client's sending."""

    def connection_lost(self, exc: Exception | None, /) -> None:
        """Handle the end of the socket."""

    def pause_writing(self) -> None:
        """Handle that the client does not read."""

    def resume_writing(self) -> None:
        """Handle that the client reads again."""


class YoungSocket(asyncio.Protocol, asyncio.Transport):
    """Stands between a socket and its connection: protocol of the one, transport of the other.

    ``make()`` returns the connection. The socket is in ``slot``. ``resumed`` is what was there
    before, where another process had it. What follows the head of a WebSocket is held until
    ``catch_up``: a message that came before the connection knows what was said on it would be
    carried out twice. So a ping that the other process has answered gets a second pong, which
    RFC 6455 allows (section 5.5.3: a pong may come unasked, and is expected to have no effect).
    """

    # The library keeps this object as long as the connection lives, so there is little of it.
    __slots__ = (
        "_held",
        "_is_over",
        "_make",
        "_owner",
        "_raw",
        "_settles",
        "_slot",
        "_sockets",
        "_upgraded",
        "resumed",
    )

    def __init__(
        self,
        make: Callable[[], YoungOwner],
        sockets: YoungRegistry,
        slot: YoungSlot,
        resumed: Resume | None = None,
    ) -> None:
        self.resumed = resumed
        self._make = make
        self._sockets = sockets
        self._slot: YoungSlot | None = slot
        self._upgraded = resumed is not None and resumed.upgraded
        self._held: bytearray | None = bytearray() if self._upgraded else None
        self._settles = False
        self._is_over: Callable[[], bool] | None = None
        self._raw: asyncio.Transport
        self._owner: YoungOwner

    def settle_when(self, is_over: Callable[[], bool]) -> None:
        """Free the slot once ``is_over()`` is true after a write, and the kernel has that."""
        self._is_over = is_over

    def release(self) -> None:
        """Free the slot and connect the socket directly; a kill ends the socket from now on."""
        if self._held is not None:
            self._settles = True  # once it is known what it has got of another process
            return
        slot, self._slot = self._slot, None
        if slot is not None:
            self._sockets.discard(self)
            slot.release()
            self.resumed = self._is_over = None
            self._raw.set_protocol(cast(asyncio.BaseProtocol, self._owner))
            self._owner.continue_on(self._raw)

    def catch_up(self) -> None:
        """Pass the held bytes to the connection, which now knows its earlier messages."""
        held, self._held = self._held, None
        if held and not self._raw.is_closing():
            self._owner.data_received(bytes(held))
        if self._settles:
            self.release()

    @property
    def age(self) -> float:
        """Seconds since the socket was accepted."""
        return 0.0 if self._slot is None else self._slot.age

    @property
    def stage(self) -> YoungStage:
        """How far the connection has come."""
        if self._is_over is not None:
            return YoungStage.GREETED
        return YoungStage.SILENT if self._slot is None or self._slot.silent else YoungStage.SPOKE

    @property
    def caught_up(self) -> bool:
        """Whether the connection has the earlier data, so that the slot can be freed at once."""
        return self._held is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the connection; one that is resumed gets what came before of it once more."""
        self._raw = cast(asyncio.Transport, transport)
        self._owner = self._make()
        del self._make
        self._sockets.add(self)
        if self.resumed is not None and self.resumed.rest:
            self._raw.write(self.resumed.rest)
        self._owner.connection_made(self)
        if self.resumed is not None and not self._raw.is_closing():
            head, received = 0, self.resumed.received
            if self._held is not None:
                head = len(head_of(received))
                self._held += received[head:]
            self._owner.data_received(received[:head] if head else received)

    def data_received(self, data: bytes) -> None:
        """Record received data, then pass it to the connection."""
        if self._slot is not None and not self._slot.record_received(data):
            self.release()
        if self._held is None:
            self._owner.data_received(data)
        else:
            self._held += data

    def eof_received(self) -> None:
        """Pass on that the client sends no more."""
        self._owner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Empty the slot, so that the socket really ends."""
        slot, self._slot = self._slot, None
        if slot is not None:
            self._sockets.discard(self)
            slot.release()
        self._owner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on that the client does not read."""
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client reads again."""
        self._owner.resume_writing()

    def write(self, data: Any) -> None:
        """Record data and send it; drop the upgrade response that an earlier process has sent."""
        if self._upgraded:
            self._upgraded = False
            if not data.startswith(b"HTTP/1.1 101 "):
                self._raw.abort()  # another answer than it has got
            return
        if self._slot is not None and not self._slot.record_sent(data):
            self.release()
        self._raw.write(data)
        if self._is_over is not None and self._is_over():
            self._is_over = None
            self._owner.loop.call_later(WRITTEN_SECONDS, self._settle_if_written)

    def _settle_if_written(self) -> None:
        """Free the slot once the kernel has all that was sent: until then it could be lost."""
        if self._slot is None:
            return
        if self._owner.buffered_bytes:
            self._owner.loop.call_later(WRITTEN_SECONDS, self._settle_if_written)
        else:
            self.release()

    def close(self) -> None:
        """Close the socket after what was sent."""
        self._raw.close()

    def abort(self) -> None:
        """End the socket at once."""
        self._raw.abort()

    def is_closing(self) -> bool:
        """Return whether the socket is closed, or about to be."""
        return self._raw.is_closing()

    def can_write_eof(self) -> bool:
        """Return whether the sending direction can be closed alone."""
        return self._raw.can_write_eof()

    def write_eof(self) -> None:
        """Close the sending direction after what was sent."""
        self._raw.write_eof()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport knows."""
        return self._raw.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait for the client to read."""
        return self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set from how many waiting bytes on the client counts as slow."""
        self._raw.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._raw.resume_reading()

"""Writes one WebSocket connection; the hot path of every client.

All that is sent during one turn of the event loop leaves in one write: a system call costs more
than everything else together. For a client that does not read, what the transport cannot write yet
is kept here, counted, and dropped once it is too much.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from websockets.protocol import OPEN

from ipc.websocket.demux import DemuxConnection, SocketOwner
from ipc.websocket.held_output import HeldOutput

PIECE = 1024 * 1024  # bytes that a transport is given at once: what it cannot write it keeps
TLS_PIECE = 128 * 1024  # the same with TLS, which encrypts it at once
# What TLS has given to the socket's transport, which shows no figure.
TLS_BYTES = 64 * 1024 + TLS_PIECE
LONG_BYTES = 65536  # from here on the header of a frame has the length in eight bytes
FIN_TEXT = 0x81  # first byte of a text frame

_SHORT_HEADERS = [bytes((FIN_TEXT, length)) for length in range(126)]

_log = logging.getLogger(__name__)


def frame(payload: bytes) -> bytes:
    """Return ``payload`` as one WebSocket text frame of a server: the same for every client."""
    length = len(payload)
    if length < 126:
        return _SHORT_HEADERS[length] + payload
    if length < LONG_BYTES:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return _long_header(length) + payload


def _long_header(length: int) -> bytes:
    return b"\x81\x7f" + length.to_bytes(8, "big")


class Owner(SocketOwner, Protocol):
    """Interface of the server of a WebSocket connection, which counts its bytes there."""

    sent_bytes: int
    received_bytes: int

    def on_output(self, connection: SendingConnection, /) -> None:
        """Write what the connection has queued at the end of this turn of the loop."""

    def on_behind(self, connection: SendingConnection, /) -> None:
        """Handle that the client has not read what fills its buffers."""

    def on_caught_up(self, connection: SendingConnection, /) -> None:
        """Handle that the client has read most of it, or is gone."""


class SendingConnection(DemuxConnection):
    """The sending half of a WebSocket connection."""

    __slots__ = ("_held", "_in_pieces", "_out", "_reading", "_spared", "_tls")

    owner: Owner

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._out: list[bytes] = []
        self._held = HeldOutput()
        self._in_pieces = False  # what is queued is not to be joined
        self._spared = False  # not to be closed for what it has not read
        self._reading = False  # what is sent meanwhile is written when all has been read
        self._tls = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Record whether what is written will be encrypted."""
        self._tls = transport.get_extra_info("ssl_object") is not None
        super().connection_made(transport)

    def send(self, payload: bytes) -> None:  # type: ignore[override]  # queues, never waits
        """Queue one text message; it is written at the end of this turn of the loop."""
        # ``send_framed(frame(payload))`` without the two calls: every answer comes through here.
        out, length = self._out, len(payload)
        if not out and not self._reading:
            self.owner.on_output(self)
        out.append(_SHORT_HEADERS[length] + payload if length < 126 else frame(payload))

    def send_framed(self, framed: bytes) -> None:
        """Queue frames that are ready, one or many of them joined."""
        if not self._out and not self._reading:
            self.owner.on_output(self)
        self._out.append(framed)

    def send_long(self, *pieces: bytes) -> None:
        """Queue one text message of at least ``LONG_BYTES``, in pieces that are not copied.

        So what is sent to many clients takes the memory of one while they do not read it.
        """
        self.send_framed(_long_header(sum(map(len, pieces))))
        self._out += pieces
        self._in_pieces = True

    def write_out(self) -> None:
        """Write what is queued, with one system call; close the client that does not read."""
        out = self._out
        if not out or self.protocol.state is not OPEN:
            out.clear()
            return
        if self.paused and not self._spared and self.close_if_slow():
            return
        self._out = []
        if len(out) == 1:
            data = out[0]
        elif self._in_pieces:
            self._in_pieces = False
            self.owner.sent_bytes += sum(map(len, out))
            self._hold(*out)
            return
        else:
            data = b"".join(out)
        self.owner.sent_bytes += len(data)
        if self.paused or (self._tls and len(data) > TLS_PIECE):
            self._hold(data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            self.transport.write(data)
        except Exception:  # noqa: BLE001 - others wait for their turn behind this one
            _log.exception("a connection could not be written")
            self.abort()

    def _hold(self, *pieces: bytes) -> None:
        """Hold pieces until the transport can write them."""
        size = sum(map(self._held.add, pieces))
        self._flush_held()
        if self.paused:
            self.owner.unread.on_growth(size)

    def _flush_held(self, *, all: bool = False) -> None:
        """Write held pieces until the transport has enough, or ``all``."""
        piece = TLS_PIECE if self._tls else PIECE
        while self._held and (all or not self.paused) and not self.transport.is_closing():
            self._write(self._held.pop(piece))

    def drop_output(self) -> None:
        """Drop what is queued and not written yet."""
        self._out.clear()
        self._in_pieces = False
        self._held.clear()

    def close_if_slow(self) -> bool:
        """Close the connection if its client has too much unread; return whether it is closed.

        Called before more is written to a client that is behind, so that one large answer
        alone closes no client.
        """
        if self.buffered_bytes > self.owner.limits.buffered_bytes:
            self.cut_off()
        return not self.open

    def cut_off(self) -> None:
        """Close the connection, because its client does not read; drop what it was to be sent."""
        raise NotImplementedError

    def pause_writing(self) -> None:
        """Handle that the client has not read what fills the kernel's buffer and ours."""
        super().pause_writing()
        self.owner.on_behind(self)

    def resume_writing(self) -> None:
        """Handle that the client has read most of it: write held pieces."""
        super().resume_writing()
        self._flush_held()
        if not self.paused:
            self.owner.on_caught_up(self)

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait in this process for the client to read."""
        if self._undecided:
            return 0
        size = self.transport.get_write_buffer_size() + self._held.size_bytes
        if self.paused and self._tls:
            size += TLS_BYTES
        return size + sum(map(len, self._out))

    @property
    def open(self) -> bool:
        """True while messages can be sent."""
        return not self._undecided and self.protocol.state is OPEN

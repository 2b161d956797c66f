"""Wraps the HTTP library's protocol of a connection, so that the connection is counted."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from ipc.websocket.unread import UnreadOutput

ASKED_SECONDS = 5.0  # from the first piece of a request until it must be whole to count
REFUSALS = 20  # in a row on one connection; each further one comes late
LATE_SECONDS = 0.25
UNREAD_MS = 30_000  # for which a client may not read its answer, before the kernel ends it


class HttpSocket(asyncio.Protocol):
    """The protocol of one HTTP connection; it passes everything to ``handler``, the library's.

    ``on_data(self)`` is called with every piece of a request, ``on_end(self)`` at the end.
    ``on_lost()`` may be set while a request is being answered: it is called when the connection
    ends meanwhile; ``was_cut``: because its client did not read. What it has not read is counted in
    ``unread``, with what an answer keeps for it (``hold``).
    """

    def __init__(
        self,
        handler: asyncio.Protocol,
        on_data: Callable[[HttpSocket], None],
        on_end: Callable[[HttpSocket], None],
        unread: UnreadOutput,
    ) -> None:
        self.was_cut = False
        self._unread = unread
        self._held = 0
        self._paused = False
        self.on_lost: Callable[[], None] | None = None
        self._handler = handler
        self._on_data, self._on_end = on_data, on_end
        self._transport: asyncio.Transport | None = None
        self._answering = 0
        self._refused = 0  # requests in a row
        self._late = False  # a refusal is delayed
        self._asked: float | None = None  # when something came that is not being answered yet

    def answering(self) -> _Answering:
        """Return a context in which the connection is not closed for another one."""
        return _Answering(self)

    def count_answering(self, change: int) -> None:
        """Add to the number of requests that are being answered."""
        self._answering += change
        if change > 0:
            self._asked = None

    async def on_answer(self, *, refused: bool) -> None:
        """Record whether a request was refused; delay a connection whose requests are all refused.

        So a flood of requests with wrong secrets or unknown paths takes hardly any time of the
        loop, on however many connections it comes. Meanwhile the connection gives way.
        """
        self._refused = self._refused + 1 if refused else 0
        if self._refused > REFUSALS:
            with self.refusing():
                await asyncio.sleep(LATE_SECONDS)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Return a context in which the connection gives way, because its refusal is delayed."""
        self._late = True
        try:
            yield
        finally:
            self._late = False

    def close_if_idle(self) -> bool:
        """Close an idle connection; return false if a request is being answered or has arrived.

        What its client has written and nothing has read yet would be lost without an answer. One
        that waits for a late refusal counts as idle.
        """
        if self._transport is None:
            return False
        if not self._late and (self._answering or self._is_asked()):
            return False
        if self._transport.get_write_buffer_size() or self._is_encrypted:
            self._transport.abort()  # its client does not read, or would be waited for
        else:
            self._transport.close()
        return True

    @property
    def _is_encrypted(self) -> bool:
        """Whether ``close`` waits for the client to close its end, for up to half a minute."""
        assert self._transport is not None
        return self._transport.get_extra_info("ssl_object") is not None

    def _is_asked(self) -> bool:
        if self._asked is not None:
            return asyncio.get_running_loop().time() - self._asked < ASKED_SECONDS
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        return sock is not None and _unread(sock) > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the library's protocol on a socket that has been open for a while."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        self._handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass a piece of a request to the library."""
        if self._asked is None:
            self._asked = asyncio.get_running_loop().time()
        self._on_data(self)
        self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass the client's end of sending to the library."""
        return self._handler.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the connection."""
        self._transport = None
        self._unread.on_caught_up(self)
        self._on_end(self)
        if self.on_lost is not None:
            self.on_lost()
        self._handler.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on that the client does not read."""
        self._paused = True
        self._unread.on_behind(self)
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client reads again."""
        self._paused = False
        self._note_reading()
        self._handler.resume_writing()

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait in this process for the client to read."""
        transport = self._transport
        return self._held + (0 if transport is None else transport.get_write_buffer_size())

    def hold(self, size: int) -> None:
        """Set how much memory an answer keeps for the client beside the transport."""
        more, self._held = size - self._held, size
        if self not in self._unread:
            if size and self._transport is not None:
                self._unread.on_behind(self)
        elif size:
            self._unread.on_growth(max(more, 0))
        else:
            self._note_reading()

    def cut_off(self) -> None:
        """End the connection, because its client does not read."""
        self._unread.on_cut_off(self)
        self.was_cut = True
        if self._transport is not None:
            self._transport.abort()

    def _note_reading(self) -> None:
        if not self._held and not self._paused:
            self._unread.on_caught_up(self)


class _Answering:
    """The context of answering one request: as a generator it would cost three times as much."""

    __slots__ = ("_socket",)

    def __init__(self, socket: HttpSocket) -> None:
        self._socket = socket

    def __enter__(self) -> None:
        self._socket.count_answering(1)

    def __exit__(self, *_: object) -> None:
        self._socket.count_answering(-1)


def _unread(sock: socket.socket) -> int:
    """Return the number of received bytes that were not read."""
    found = fcntl.ioctl(sock.fileno(), termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", found)[0])

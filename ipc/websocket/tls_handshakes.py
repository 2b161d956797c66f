"""Carries out the TLS handshakes of accepted sockets, which are counted from the beginning.

asyncio shows a server a connection once its handshake is done. Until then a socket that sends
nothing would cost a file that no limit counts, and so would any number of them.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol


class HandshakeOwner(Protocol):
    """Interface of the server of the sockets."""

    def admit_handshake(self, handshake: TlsHandshake, /) -> bool:
        """Count a new socket; return false when it must be closed at once."""

    def release_handshake(self, handshake: TlsHandshake, /) -> None:
        """Stop counting a socket: its handshake is done, or it has ended."""


class TlsHandshake:
    """A socket whose handshake is under way; ``fd`` is its descriptor, ``address`` its peer's."""

    def __init__(self, sock: socket.socket) -> None:
        self.fd = sock.fileno()
        self.address = "?"
        with suppress(OSError):  # its client has gone already
            self.address = str(sock.getpeername()[0])
        self._sock = sock

    def close_if_idle(self) -> bool:
        """End the socket to make room for another one: the handshake reads its end."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        return True


class TlsHandshakes:
    """The handshakes of one server with a ``context``; each may take ``seconds``.

    ``make()`` returns the connection behind an encrypted socket, made once that is established.
    """

    def __init__(
        self,
        owner: HandshakeOwner,
        context: ssl.SSLContext,
        seconds: float,
        make: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        self._owner = owner
        self._context = context
        self._seconds = seconds
        self._make = make
        self._tasks: dict[TlsHandshake, asyncio.Task[None]] = {}
        self._loop = asyncio.get_running_loop()

    def begin(self, sock: socket.socket) -> None:
        """Begin the handshake of a socket that was just accepted."""
        sock.setblocking(False)
        handshake = TlsHandshake(sock)
        if not self._owner.admit_handshake(handshake):
            sock.close()
            return
        self._tasks[handshake] = self._loop.create_task(self._carry_out(handshake, sock))

    async def close(self) -> None:
        """End the handshakes that are under way."""
        under_way = dict(self._tasks)
        for handshake in under_way:
            handshake.close_if_idle()
        if under_way:
            await asyncio.wait(under_way.values())

    async def _carry_out(self, handshake: TlsHandshake, sock: socket.socket) -> None:
        protocol = _Established(lambda: self._owner.release_handshake(handshake), self._make)
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                sock,
                ssl=self._context,
                ssl_handshake_timeout=self._seconds,
            )
        except OSError:  # its client speaks no TLS, trusts another certificate, or has gone
            pass
        finally:
            self._owner.release_handshake(handshake)
            del self._tasks[handshake]


class _Established(asyncio.Protocol):
    """Passes an encrypted transport to its connection, which is counted instead."""

    def __init__(
        self, release: Callable[[], None], make: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self._release = release
        self._make = make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the connection."""
        self._release()
        connection = self._make()
        transport.set_protocol(connection)
        connection.connection_made(transport)

"""Decides by the first bytes of a connection whether it is WebSocket or HTTP.

One port serves both. A connection that has not sent a whole request head yet belongs to
neither library: no task runs for it, it has a deadline and it is counted, so that sockets
which never send anything cost next to nothing. The bytes read meanwhile are replayed unchanged.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

import msgspec
from websockets.asyncio.server import ServerConnection

from ipc.websocket.http_socket import HttpSocket
from ipc.websocket.unread import UnreadOutput
from ipc.websocket.young import YoungSocket

MAX_HEAD_BYTES = 16 * 1024
HEAD_SECONDS = 10.0  # for the whole request head
REFUSED_SECONDS = 1.0  # from the answer to a refused request to the end of its socket
SO_PEERPIDFD = 77  # Linux 6.5; of a unix socket
SEND_BUFFER_BYTES = 256 * 1024  # the kernel's default hides 4 MB from the slow-consumer rule

_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 32\r\nConnection: close\r\n\r\nToo many unauthenticated sockets"
)
_TOO_MANY_HTTP = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 20\r\nConnection: close\r\n\r\nToo many connections"
)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


class Limits(msgspec.Struct, frozen=True):
    """The limits of one server. Times are in seconds."""

    handshake: float = 15.0  # from the upgrade to ``admit``; then close 1000
    preauth_bytes: int = 65536
    preauth_per_address: int = 32  # unauthenticated sockets; loopback is exempt
    http_per_address: int = 64  # HTTP connections; the longest idle one gives way
    unproven: int | None = None  # sockets of all addresses that have proved nothing
    files: int | None = None  # descriptors from this number on are kept free
    buffered_bytes: int = 4 * 1024 * 1024  # unread by one client; then close 1008
    buffered_total_bytes: int = 20 * 1024 * 1024  # unread by all clients together
    ping: float = 25.0  # between pings; without any answer until the next, the socket ends
    backlog: int = 4096


class SocketOwner(Protocol):
    """Interface of the server of a connection whose protocol is not known yet."""

    limits: Limits
    http: Callable[[], asyncio.Protocol] | None  # makes the handler of an HTTP connection
    unread: UnreadOutput

    def admit_socket(self, connection: DemuxConnection, /) -> bool:
        """Count a new socket; return false when it must be closed at once."""

    def on_head(self, connection: DemuxConnection, /) -> None:
        """Record that the socket has sent a whole request head."""

    def refuse_head(self, head: bytes, upgrade: bool, /) -> bytes | None:
        """Return the answer to a refused request head; ``None`` if it is accepted."""

    def is_crowded(self, connection: DemuxConnection, /) -> bool:
        """Return whether this address has too many unauthenticated sockets."""

    def release_socket(self, connection: DemuxConnection, /) -> None:
        """Stop counting the socket: it is authenticated, or closed, or speaks HTTP."""

    def admit_http(self, connection: HttpSocket, address: str, loopback: bool, /) -> bool:
        """Count a socket that speaks HTTP; return false when its address has too many."""

    def on_http_data(self, connection: HttpSocket, /) -> None:
        """Record that an HTTP connection has sent something."""

    def release_http(self, connection: HttpSocket, /) -> None:
        """Stop counting an HTTP connection, which has ended."""


def wants_websocket(head: bytes) -> bool:
    """Return whether a request head asks for an upgrade to WebSocket."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"upgrade" and b"websocket" in value.lower():
            return True
    return False


def is_loopback(address: str) -> bool:
    """Return whether an address is a loopback address."""
    return address.startswith(("127.", "::ffff:127.")) or address == "::1"


class DemuxConnection(ServerConnection):
    """A connection that becomes WebSocket or HTTP once its request head has come.

    What we add to the library's attributes has slots: with more than 30 in all, the dictionary
    of each connection would be one of its own, of 1.6 KiB.
    """

    __slots__ = (
        "_head",
        "_raw",
        "_timer",
        "fd",
        "loopback",
        "peer_pid",
        "peer_uid",
        "remote",
        "same_host",
    )

    owner: SocketOwner  # set by the subclass that each server makes for itself
    remote: str  # the peer's address; "" on a unix socket
    loopback: bool
    same_host: bool  # loopback, or from the very address that it connects to: no other host has it
    peer_uid: int | None  # of a unix peer
    peer_pid: int | None  # likewise; 0: it is in no pid namespace that we see
    fd: int  # the number of its descriptor: the kernel gives the lowest that is free

    _head: bytes | None  # None once it is complete
    _timer: asyncio.TimerHandle | None
    _raw: asyncio.Transport

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.peer_pid = self.peer_uid = self._timer = None
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the socket and wait for its request head until the deadline."""
        self._raw = cast(asyncio.Transport, transport)
        self._inspect_socket(transport.get_extra_info("socket"))
        if not self.owner.admit_socket(self):
            self._raw.abort()
            return
        age = 0.0 if (young := self.young) is None else young.age
        self._timer = self.loop.call_later(max(HEAD_SECONDS - age, 0.0), self._raw.abort)

    def data_received(self, data: bytes) -> None:
        """Collect the request head; then become a WebSocket or pass the socket to HTTP."""
        assert self._head is not None
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0 and len(self._head) < MAX_HEAD_BYTES:
            return
        head, self._head = self._head, None
        self._stop_timer()
        self.owner.on_head(self)
        upgrade = end >= 0 and wants_websocket(head[:end])
        refusal = self.owner.refuse_head(head[:end], upgrade) if end >= 0 else _TOO_LARGE
        if refusal is None and upgrade and self.owner.is_crowded(self):
            refusal = _TOO_MANY
        if refusal is not None:
            self._end_with(refusal)
        elif not upgrade:
            self._switch_to_http(head)
        else:
            super().connection_made(self._raw)
            super().data_received(head[: end + 4])
            if rest := head[end + 4 :]:
                self.data_received(rest)  # the subclass's: the head is decided

    def eof_received(self) -> None:
        """Close a socket that ends before its request head is complete."""
        if self._undecided:
            self._raw.close()
        else:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the socket."""
        self._stop_timer()
        self.owner.release_socket(self)
        if not self._undecided:
            super().connection_lost(exc)

    def abort(self) -> None:
        """End the socket at once; the client sees 1006."""
        self._raw.abort()

    @property
    def young(self) -> YoungSocket | None:
        """The recorder of a young connection; ``None`` if it is not kept over a kill."""
        return self._raw if isinstance(self._raw, YoungSocket) else None

    def continue_on(self, transport: asyncio.Transport) -> None:
        """Use another transport from now on: the connection is young no longer."""
        self._raw = transport
        if not self._undecided:
            self.transport = transport

    def close_if_idle(self) -> bool:
        """Close the unauthenticated socket to make room for another one."""
        self._raw.abort()
        return True

    def open_peer(self) -> int:
        """Return a pidfd of the process that has connected to a unix socket.

        Raises ``OSError``, as when it has ended. Before Linux 6.5 the kernel gives no more than the
        number that it had, which another process may have by now.
        """
        try:
            sock = self._raw.get_extra_info("socket")
            return int(sock.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD))
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT or not self.peer_pid:
                raise
        return os.pidfd_open(self.peer_pid)

    def pause_writing(self) -> None:
        """Pause the writing of a WebSocket; the other kinds have their own handler."""
        if not self._undecided:
            super().pause_writing()

    def resume_writing(self) -> None:
        """Resume the writing of a WebSocket."""
        if not self._undecided:
            super().resume_writing()

    @property
    def _undecided(self) -> bool:
        return not hasattr(self, "transport")

    def _switch_to_http(self, head: bytes) -> None:
        if (young := self.young) is not None:
            young.release()
        owner = self.owner
        owner.release_socket(self)
        if owner.http is None:
            self._raw.abort()
            return
        protocol = HttpSocket(owner.http(), owner.on_http_data, owner.release_http, owner.unread)
        if not owner.admit_http(protocol, self.remote, self.loopback):
            self._end_with(_TOO_MANY_HTTP)
            return
        self._raw.set_protocol(protocol)
        protocol.connection_made(self._raw)
        protocol.data_received(head)

    def _end_with(self, answer: bytes) -> None:
        """Close the socket after an answer, soon also where its client does not.

        With TLS the transport would wait for half a minute for the client to close its end.
        """
        self._raw.write(answer)
        self._raw.close()
        self._timer = self.loop.call_later(REFUSED_SECONDS, self._raw.abort)

    def _inspect_socket(self, sock: socket.socket) -> None:
        self.fd = sock.fileno()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if sock.family == socket.AF_UNIX:
            credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            self.peer_pid, self.peer_uid, _ = struct.unpack("3i", credentials)
            self.remote, self.loopback, self.same_host = "", True, True
        else:
            name = self._raw.get_extra_info("peername")
            self.remote = str(name[0]) if name else "?"
            self.loopback = self.same_host = is_loopback(self.remote)
            if not self.loopback:
                own = self._raw.get_extra_info("sockname")
                self.same_host = bool(own) and own[0] == self.remote

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

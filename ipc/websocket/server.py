"""Serves WebSocket to many clients, over TCP (with HTTP on the same port) or a unix socket.

``Server`` keeps what is common to all connections: which have output, which do not read,
which have not authenticated, when they are pinged. The rules of one connection are in
``connection``, those of its first bytes in ``demux``. The gateway's port and the supervisor's
``cli.sock`` are both such servers.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

from websockets.asyncio.server import Server as LibraryServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.server import ServerProtocol

from ipc.memory import FreedMemory
from ipc.socket_files import SocketIdentity, bind_private, identity
from ipc.websocket.accepting import Acceptor
from ipc.websocket.back_pressure import BackPressure
from ipc.websocket.connection import CLOSE_SECONDS, Connection
from ipc.websocket.demux import DemuxConnection, Limits, is_loopback
from ipc.websocket.http_socket import HttpSocket
from ipc.websocket.resumption import OUTCOMES
from ipc.websocket.sending import Owner, SendingConnection
from ipc.websocket.sockets import UnprovenSocket, UnprovenSockets
from ipc.websocket.tls_handshakes import TlsHandshake, TlsHandshakes
from ipc.websocket.unread import UnreadOutput
from ipc.websocket.young_sockets import NoSlots, SlotSource, YoungSockets

# What the library does itself with a connection: one sweep pings all, instead of a task for each.
_OF_LIBRARY: dict[str, Any] = {"ping_interval": None, "max_queue": None}
FREED_BYTES = 8 * 1024 * 1024  # of clients that were cut off, after which memory is given back
CONNECTION_BYTES = 128 * 1024  # of a client that reads: buffers, task, state; with TLS most


def _refuse_none(head: bytes, upgrade: bool) -> None:
    """Accept every request head."""


class TurnEnd(Protocol):
    """Interface of the work before and after the write to all clients at the end of a loop turn."""

    def before_write(self) -> None:
        """Queue the events of the turn for the clients."""

    def after_write(self) -> None:
        """Run the work that clients need not wait for."""


class Server:
    """A listening socket and its connections: made by ``start``, ended by ``close``.

    ``connections`` holds every open WebSocket, ``undecided`` the sockets that have not sent a
    request yet. ``starved`` counts the sockets that came when no files were left. ``unproven`` are
    the sockets that have proved nothing, with counters of their own, ``unread`` those whose clients
    are behind. ``sent_bytes`` and ``received_bytes`` are those of WebSockets.
    """

    def __init__(
        self,
        on_connect: Callable[[Connection], None],
        on_text: Callable[[Connection, bytes], None],
        on_close: Callable[[Connection], None],
        http: Callable[[], asyncio.Protocol] | None,
        limits: Limits,
        refuse_head: Callable[[bytes, bool], bytes | None],
        beside: Server | None = None,
    ) -> None:
        self.http = http
        self.refuse_head = refuse_head
        self.limits = limits
        self.connections: set[Connection] = set()
        self.sent_bytes = self.received_bytes = 0
        self.starved = 0
        self._loop = asyncio.get_running_loop()
        self._freed = FreedMemory(FREED_BYTES)
        if beside is None:
            self.unproven = UnprovenSockets(
                limits.preauth_per_address, limits.http_per_address, limits.unproven
            )
            most = limits.buffered_total_bytes
            self.unread = UnreadOutput(most, self._loop.time, self._freed.add)
        else:
            self.unproven, self.unread = beside.unproven, beside.unread
        self._turn_end: TurnEnd | None = None
        self._on_connect, self._on_text, self._on_close = on_connect, on_text, on_close
        self.undecided: set[DemuxConnection] = set()
        self._closing: tuple[int, str] | None = None
        self._waiting: list[SendingConnection] = []
        self._pressure = BackPressure(lambda: len(self.connections), self.flush_soon)
        self._due: asyncio.Handle | None = None  # the write at the end of this turn
        self._uids: frozenset[int] | None = None
        self._unix: Path | None = None
        self._file: SocketIdentity | None = None  # the socket file that is ours
        self._ping_timer = self._loop.call_later(limits.ping, self._ping)
        self._library: LibraryServer
        self._acceptor: Acceptor
        self._young: YoungSockets | None = None
        self._handshakes: TlsHandshakes | None = None
        self.taken_over = dict.fromkeys(OUTCOMES, 0)
        owner: Owner = self
        self._connection_type: type[Connection] = type(
            "Connection", (Connection,), {"owner": owner}
        )

    @classmethod
    async def start(
        cls,
        listen: socket.socket | Path,
        *,
        on_connect: Callable[[Connection], None],
        on_text: Callable[[Connection, bytes], None],
        on_close: Callable[[Connection], None],
        http: Callable[[], asyncio.Protocol] | None = None,
        refuse_head: Callable[[bytes, bool], bytes | None] = _refuse_none,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        beside: Server | None = None,
        slots: SlotSource | None = None,
    ) -> Server:
        """Serve on a listening socket, or on a new unix socket at a path.

        The unix socket gets mode 0600 and only our own user and root may connect; a stale
        file in its place is removed. Each callback gets the connection; ``on_text`` is
        called with every message unless ``on_connect`` sets ``connection.receive``.
        ``refuse_head`` gets the request head of each connection and whether it asks for a
        WebSocket; what it returns is answered, and the connection closed. With ``tls`` the port
        is encrypted, for HTTP too. With ``beside``, sockets that have proved nothing and what
        clients have not read are counted with those of that server. The sockets of young
        connections are kept in ``slots`` (not with ``tls``).
        """
        unix = isinstance(listen, Path)
        sock = bind_private(listen) if isinstance(listen, Path) else listen  # first: it may fail
        server = cls(on_connect, on_text, on_close, http, limits or Limits(), refuse_head, beside)
        if isinstance(listen, Path):
            server._admit_owner_only(listen)
        server._library = await serve(
            server._serve,
            create_connection=server._connection_type,
            compression=None,
            max_size=server.limits.preauth_bytes,
            server_header=None,
            sock=sock.dup(),
            unix=unix,
            start_serving=False,  # what it accepts all at once would leave no file for others
            **_OF_LIBRARY,
        )
        # While draining, the library would answer late handshakes with 503: we answer them.
        server._library.is_serving = lambda: True  # type: ignore[method-assign]
        server._accept_on(sock, slots or NoSlots(), tls)
        return server

    def _accept_on(
        self, listen: socket.socket, slots: SlotSource, tls: ssl.SSLContext | None
    ) -> None:
        """Accept connections one by one, each counted before the next."""
        young = YoungSockets(slots, self._connection)
        if tls is None:
            self._young, begin = young, young.begin
        else:
            young.drop_left()  # of a process that did not encrypt: they would hang
            self._handshakes = TlsHandshakes(self, tls, self.limits.handshake, self._connection)
            begin = self._handshakes.begin
        self._acceptor = Acceptor(listen, self.limits.backlog, begin, self.limits.files)

    def _connection(self) -> Connection:
        """Return a new connection for a socket that the library has not accepted."""
        protocol = ServerProtocol(max_size=self.limits.preauth_bytes)
        return self._connection_type(protocol, self._library, **_OF_LIBRARY)

    async def take_over(self) -> dict[str, int]:
        """Take over the young connections of a killed process, before new ones are accepted.

        Returns how many there were, by what became of them; ``taken_over`` counts them.
        """
        became = {} if self._young is None else await self._young.take_over()
        for outcome, count in became.items():
            self.taken_over[outcome] += count
        return became

    def _admit_owner_only(self, unix: Path) -> None:
        self._unix, self._file = unix, identity(unix)
        self._uids = frozenset({0, os.geteuid()})

    def on_output(self, connection: SendingConnection) -> None:
        """Write what ``connection`` has queued at the end of this turn of the loop."""
        self._waiting.append(connection)
        self.flush_soon()

    def set_turn_end(self, turn_end: TurnEnd) -> None:
        """Call ``turn_end`` before and after the write of each turn."""
        self._turn_end = turn_end

    def flush_soon(self) -> None:
        """Write everything at the end of this turn of the loop (see ``set_turn_end``)."""
        if self._due is None:
            self._due = self._loop.call_soon(self._flush)

    def flush_now(self) -> None:
        """Write at once what would be written at the end of this turn of the loop."""
        if self._due is not None:
            self._due.cancel()
            self._flush()

    def on_behind(self, connection: SendingConnection) -> None:
        """Hold producers back for a client that has not read what fills its buffers."""
        self.unread.on_behind(connection)
        self._pressure.on_behind(connection)

    def on_caught_up(self, connection: SendingConnection) -> None:
        """Handle that a client has read; when no other is behind, producers may go on."""
        self.unread.on_caught_up(connection)
        self._pressure.on_caught_up(connection)

    @property
    def held_bytes(self) -> int:
        """How much memory the connections may take: the unread output, and a share for each."""
        return self.unread.size_bytes + CONNECTION_BYTES * len(self.connections)

    @property
    def patient(self) -> bool:
        """True while producers should hold back."""
        return bool(self._pressure)

    def admit_socket(self, connection: DemuxConnection) -> bool:
        """Count a new socket; return false when it must be closed at once."""
        if self._uids is not None and connection.peer_uid not in self._uids:
            return False
        if not self._admit(connection, connection.fd, connection.remote, connection.loopback):
            return False
        self.undecided.add(connection)
        return True

    def admit_handshake(self, handshake: TlsHandshake) -> bool:
        """Count a socket whose TLS handshake begins; return false when it must be closed."""
        loopback = is_loopback(handshake.address)
        return self._admit(handshake, handshake.fd, handshake.address, loopback)

    def release_handshake(self, handshake: TlsHandshake) -> None:
        """Stop counting a socket whose TLS handshake is over."""
        self.unproven.remove(handshake)

    def _admit(self, unproven: UnprovenSocket, fd: int, address: str, loopback: bool) -> bool:
        """Count a new socket; if too few files are left, another one must give way to it."""
        files = self.limits.files
        if files is not None and fd >= files:
            self.starved += 1
            if not self.unproven.evict():
                return False
        return self.unproven.add(unproven, address, exempt=loopback)

    def on_head(self, connection: DemuxConnection) -> None:
        """Record that the socket has sent a whole request head."""
        self.undecided.discard(connection)

    def is_crowded(self, connection: DemuxConnection) -> bool:
        """Return whether this address has too many unauthenticated sockets."""
        return self.unproven.is_crowded(connection.remote)

    def release_socket(self, connection: DemuxConnection) -> None:
        """Stop counting a socket that is authenticated, or closed, or speaks HTTP."""
        self.undecided.discard(connection)
        self.unproven.remove(connection)

    def admit_http(self, connection: HttpSocket, address: str, loopback: bool) -> bool:
        """Count a socket that speaks HTTP; return false when its address has too many."""
        return self.unproven.add_http(connection, address, exempt=loopback)

    def on_http_data(self, connection: HttpSocket) -> None:
        """Record that an HTTP connection has sent something."""
        self.unproven.mark_used(connection)

    def release_http(self, connection: HttpSocket) -> None:
        """Count an HTTP connection no longer: it has ended."""
        self.unproven.remove(connection)

    def stop_accepting(self) -> None:
        """Accept no more clients: they wait in the backlog for the next process on the socket."""
        self._library.server.close()
        self._acceptor.close()

    async def close(self, code: int = 1012, reason: str = "service restart") -> None:
        """Stop accepting, close every connection and wait until the last socket is gone.

        A handshake that is under way is finished first, so that its client gets a close code too.
        Sockets end within ``CLOSE_SECONDS`` whatever their clients do. Clients that have not been
        admitted yet get 1000 without a reason: OpenClaw's command line (2026.9.6) tries once more
        after that, and gives up after any other code.
        """
        self.stop_accepting()
        self._ping_timer.cancel()
        self._freed.close()
        self._pressure.close()
        if self._young is not None:
            self._young.close()
        if self._handshakes is not None:
            await self._handshakes.close()
        self._closing = (code, reason)
        for connection in list(self.connections):
            self._dismiss(connection, code, reason)
        if self._library.handler_tasks:
            await asyncio.wait(self._library.handler_tasks, timeout=2 * CLOSE_SECONDS)
        for left in [*self.undecided, *self.connections]:
            left.abort()
        if self._library.handler_tasks:
            await asyncio.wait(self._library.handler_tasks)
        if self._unix is not None and identity(self._unix) == self._file:
            self._unix.unlink(missing_ok=True)  # unless another server has replaced it

    async def _serve(self, opened: ServerConnection) -> None:
        connection = cast(Connection, opened)
        self.connections.add(connection)
        connection.start(partial(self._on_text, connection), self.limits.handshake)
        try:
            self._on_connect(connection)
            connection.replay()
            if (young := connection.young) is not None:
                young.catch_up()
            if self._closing is not None:
                self._dismiss(connection, *self._closing)
            await connection.wait_closed()
        finally:
            self.connections.discard(connection)
            self._on_close(connection)

    @staticmethod
    def _dismiss(connection: Connection, code: int, reason: str) -> None:
        if connection.authenticated:
            connection.close(code, reason)
        else:
            connection.close()

    def _flush(self) -> None:
        turn_end = self._turn_end
        try:
            if turn_end is not None:
                turn_end.before_write()
        finally:
            self._due = None
            waiting, self._waiting = self._waiting, []
            for connection in waiting:
                connection.write_out()
        if turn_end is not None:
            turn_end.after_write()

    def _ping(self) -> None:
        self._ping_timer = self._loop.call_later(self.limits.ping, self._ping)
        for connection in self.connections:
            if connection.authenticated:
                connection.check_alive()

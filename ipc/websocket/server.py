"""A WebSocket server for many clients, over TCP (with HTTP on the same port) or a unix socket.

``Server`` keeps what is common to all connections: who is waiting to be written to, who
does not read, who has not authenticated, who must be pinged. The rules of one connection
are in ``wsconnection``, those of its first bytes in ``wsfront``. The gateway's port and the
supervisor's ``cli.sock`` are both such servers.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from websockets.asyncio.server import Server as LibraryServer
from websockets.asyncio.server import ServerConnection, serve

from ipc.websocket.connection import CLOSE_SECONDS, Connection, frame
from ipc.websocket.demux import Front

PATIENCE = 0.25  # seconds between two looks at clients that are behind

__all__ = ["Connection", "Limits", "Server", "frame"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server allows. Times in seconds."""

    handshake: float = 15.0  # from the upgrade to ``admit``; then close 1000
    preauth_bytes: int = 65536
    preauth_per_address: int = 32  # unauthenticated sockets; loopback is exempt
    buffered_bytes: int = 4 * 1024 * 1024  # unread by one client; then close 1008
    buffered_total_bytes: int = 256 * 1024 * 1024  # unread by all: the fullest goes
    ping: float = 25.0  # between pings; without any answer until the next, the socket ends
    backlog: int = 4096


class Server:
    """Start one with ``Server.start``; stop it with ``drain`` and ``close``.

    ``connections`` holds every open WebSocket. ``slow`` counts clients closed for not
    reading, ``crowd`` sockets refused for being too many.
    """

    def __init__(
        self,
        on_connect: Callable[[Connection], None],
        on_text: Callable[[Connection, bytes], None],
        on_close: Callable[[Connection], None],
        http: Callable[[], asyncio.Protocol] | None,
        limits: Limits,
    ) -> None:
        self.http = http
        self.limits = limits
        self.connections: set[Connection] = set()
        self.slow = 0
        self.crowd = 0
        self.before_flush: list[Callable[[], None]] = []  # may queue more for this turn
        self.after_flush: list[Callable[[], None]] = []  # what clients need not wait for
        self._on_connect, self._on_text, self._on_close = on_connect, on_text, on_close
        self.undecided: set[Front] = set()  # sockets that have not sent a request yet
        self._closing: tuple[int, str] | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Connection] = []
        self._behind: dict[Connection, int] = {}  # what each had unread at the last look
        self._patience: asyncio.TimerHandle | None = None
        self._flushing = False
        self._preauth: Counter[str] = Counter()
        self._counted: set[Front] = set()
        self._uids: frozenset[int] | None = None
        self._unix: Path | None = None
        self._inode: int | None = None  # of the socket file that is ours
        self._ping_timer = self._loop.call_later(limits.ping, self._ping)
        self._library: LibraryServer

    @classmethod
    async def start(
        cls,
        listen: socket.socket | Path,
        *,
        on_connect: Callable[[Connection], None],
        on_text: Callable[[Connection, bytes], None],
        on_close: Callable[[Connection], None],
        http: Callable[[], asyncio.Protocol] | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Server:
        """Serve on a listening socket, or on a new unix socket at a path.

        The unix socket gets mode 0600 and only our own user and root may connect; a stale
        file in its place is removed. Each callback gets the connection; ``on_text`` is
        called with every message unless ``on_connect`` sets ``connection.receive``. With
        ``tls`` the port is encrypted, for HTTP too.
        """
        kwargs: dict[str, Any] = {"sock": listen}
        if isinstance(listen, Path):
            kwargs = {"sock": _bound(listen), "unix": True}  # before anything else: it may fail
        server = cls(on_connect, on_text, on_close, http, limits or Limits())
        if isinstance(listen, Path):
            server._unix, server._inode = listen, _inode(listen)
            server._uids = frozenset({0, os.geteuid()})
        if tls is not None:
            kwargs |= {"ssl": tls, "ssl_handshake_timeout": server.limits.handshake}
        server._library = await serve(
            server._serve,
            create_connection=type("Connection", (Connection,), {"owner": server}),
            compression=None,
            ping_interval=None,  # one sweep for all of them instead of a task for each
            max_size=server.limits.preauth_bytes,
            max_queue=None,
            server_header=None,
            backlog=server.limits.backlog,  # the default of 100 would shrink the listener's
            **kwargs,
        )
        # While draining, the library would answer late handshakes with 503: we answer them.
        server._library.is_serving = lambda: True  # type: ignore[method-assign]
        return server

    # Called by connections

    def has_output(self, connection: Connection) -> None:
        """Write what ``connection`` has queued at the end of this turn of the loop."""
        self._waiting.append(connection)
        self.flush_soon()

    def flush_soon(self) -> None:
        """Write everything at the end of this turn of the loop, with the hooks before and after."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def falls_behind(self, connection: Connection) -> None:
        """Be patient with a client that has not read its fill."""
        self._behind[connection] = connection.buffered_bytes
        if self._patience is None:
            self._patience = self._loop.call_later(PATIENCE, self._looks_again)

    def catches_up(self, connection: Connection) -> None:
        """It has read; when nobody else is behind, those who speak may go on."""
        if self._behind.pop(connection, None) is not None and not self._behind:
            self._ends_patience()

    @property
    def patient(self) -> bool:
        """Whether whoever makes the clients' output should wait a little with more."""
        return bool(self._behind)

    def _looks_again(self) -> None:
        """Go on waiting while most clients are behind and reading: then more comes than can be
        read here at all. For a few slow ones among others nobody waits longer.
        """
        self._behind = {
            each: left
            for each, before in self._behind.items()
            if (left := each.buffered_bytes) < before
        }
        if self._behind and 2 * len(self._behind) >= len(self.connections):
            self._patience = self._loop.call_later(PATIENCE, self._looks_again)
        else:
            self._ends_patience()

    def _ends_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._behind.clear()
        self.flush_soon()

    def closes_slow(self, connection: Connection) -> bool:
        """Close a client that has let too much pile up, or the fullest when all have.

        Called before more is written to a client that is behind, so that one large answer
        alone closes nobody. Says whether ``connection`` itself was closed.
        """
        if connection.buffered_bytes > self.limits.buffered_bytes:
            self._close_slow(connection)
        else:
            behind = [other for other in self.connections if other.paused and other.open]
            if sum(other.buffered_bytes for other in behind) > self.limits.buffered_total_bytes:
                self._close_slow(max(behind, key=lambda other: other.buffered_bytes))
        return not connection.open

    def admits(self, connection: Front) -> bool:
        """Count a new socket; false when it must go at once."""
        if self._uids is not None and connection.peer_uid not in self._uids:
            return False
        self.undecided.add(connection)
        if connection.loopback:
            return True
        if self._preauth[connection.remote] >= 2 * self.limits.preauth_per_address:
            self.crowd += 1
            return False
        self._counted.add(connection)
        self._preauth[connection.remote] += 1
        return True

    def decided(self, connection: Front) -> None:
        """The socket has sent a whole request head."""
        self.undecided.discard(connection)

    def crowded(self, connection: Front) -> bool:
        """Say whether this address has too many unauthenticated sockets."""
        crowded = self._preauth[connection.remote] > self.limits.preauth_per_address
        self.crowd += crowded
        return crowded

    def forgets(self, connection: Front) -> None:
        """The socket is authenticated, or gone, or speaks HTTP: it counts no longer."""
        self.undecided.discard(connection)
        if connection in self._counted:
            self._counted.discard(connection)
            self._preauth[connection.remote] -= 1
            if not self._preauth[connection.remote]:
                del self._preauth[connection.remote]

    # The end

    def stop_accepting(self) -> None:
        """Leave new clients in the backlog, for the next process that has the socket."""
        self._library.server.close()

    async def close(self, code: int = 1012, reason: str = "service restart") -> None:
        """Stop accepting, close every connection and wait until the last socket is gone.

        A handshake that is under way is finished first, so that its client gets the close
        code too. Sockets end within ``CLOSE_SECONDS`` whatever their clients do.
        """
        self.stop_accepting()
        self._ping_timer.cancel()
        if self._patience is not None:
            self._patience.cancel()
        self._closing = (code, reason)
        for connection in list(self.connections):
            connection.close(code, reason)
        if self._library.handler_tasks:
            await asyncio.wait(self._library.handler_tasks, timeout=2 * CLOSE_SECONDS)
        for left in [*self.undecided, *self.connections]:
            left.abort()
        if self._library.handler_tasks:
            await asyncio.wait(self._library.handler_tasks)
        if self._unix is not None and _inode(self._unix) == self._inode:
            self._unix.unlink(missing_ok=True)  # unless another server has replaced it

    # Private

    async def _serve(self, opened: ServerConnection) -> None:
        connection = cast(Connection, opened)
        self.connections.add(connection)
        connection.opened(partial(self._on_text, connection), self.limits.handshake)
        try:
            self._on_connect(connection)
            connection.replay()
            if self._closing is not None:
                connection.close(*self._closing)
            await connection.wait_closed()
        finally:
            self.connections.discard(connection)
            self._on_close(connection)

    def _flush(self) -> None:
        try:
            for hook in self.before_flush:
                hook()
        finally:
            self._flushing = False
            waiting, self._waiting = self._waiting, []
            for connection in waiting:
                connection.write_out()
        for hook in self.after_flush:
            hook()

    def _close_slow(self, connection: Connection) -> None:
        self.slow += 1
        connection.drop_output()
        connection.close(1008, "slow consumer")

    def _ping(self) -> None:
        self._ping_timer = self._loop.call_later(self.limits.ping, self._ping)
        for connection in self.connections:
            if connection.authenticated:
                connection.check_alive()


def _inode(path: Path) -> int | None:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return None


def _bound(path: Path) -> socket.socket:
    """Return a socket at ``path`` that nobody else may use, from its first moment on."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock

"""Links processes over ZeroMQ: a ``Router`` that many peers reach, a ``Dealer`` that is one.

The binder and the connectors may start and restart in any order. A message is one body; what
it means is defined in ``ipc.frames.data`` and ``ipc.frames.control``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable

import zmq

from ipc.endpoints import check_path, socket_path
from ipc.errors import EndpointError, FrameError, PeerGone
from ipc.zeromq.socket import (
    BYTE_BUDGET,
    HEARTBEAT_MS,
    HWM,
    MAX_BYTES,
    RECONNECT_MAX_MS,
    RECONNECT_MS,
    SILENCE_MS,
    OnError,
    Socket,
    bind,
)

KNOWN_PEERS = 4096
GONE = -1  # the inode of a file that is not there
LOOK = 1.0  # seconds between two looks at the socket file
OVERHEAD_BYTES = 64  # a message costs the budget this much more, or empty ones were free

_NOBLOCK = int(zmq.NOBLOCK)
_SNDMORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_RCVMORE = int(zmq.RCVMORE)
_EVENTS = int(zmq.EVENTS)
_POLLOUT = int(zmq.POLLOUT)


class Router(Socket):
    """The bound end, bound when it is made; calls ``on_frame(peer, body)`` with every message.

    An exception of ``on_frame`` goes to ``on_error`` and spoils only that message. Dropped the
    same way: a message of several parts, which no peer of ours sends, and what is left unread
    of a connection that its peer has replaced.
    """

    def __init__(
        self,
        address: str,
        on_frame: Callable[[bytes, bytes], None],
        *,
        hwm: int = HWM,
        byte_budget: int = BYTE_BUDGET,
        max_bytes: int = MAX_BYTES,
        on_error: OnError | None = None,
    ) -> None:
        super().__init__(
            zmq.ROUTER, hwm=hwm, byte_budget=byte_budget, max_bytes=max_bytes, on_error=on_error
        )
        self._on_frame = on_frame
        self._known: set[bytes] = set()
        # Without it messages to absent or stalled peers vanish and the send "succeeds".
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        # Without it a peer that reconnects before its old connection is read to the end is
        # ignored for ever (tried: link lost, or this process stopped, under load).
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.setsockopt(zmq.PROBE_ROUTER, 1)
        self._path = socket_path(address)
        self._timer: asyncio.TimerHandle | None = None
        try:
            self._inode = bind(self._socket, self._path)
        except BaseException:
            self.close()
            raise
        self._watch()
        self._look_later()

    def send(self, peer: bytes, body: bytes) -> bool:
        """Queue ``body`` for ``peer``; return ``False`` when that peer's queue is full.

        Raises ``PeerGone`` when no such peer is connected. After a kill of a peer whose queue
        was full ZeroMQ may say "full" until what the peer had sent is read.
        """
        if self.closed:
            raise PeerGone(peer.decode(errors="replace"), maybe_executed=False)
        if len(body) > self.max_bytes:
            raise FrameError(f"message of {len(body)} bytes, at most {self.max_bytes} go")
        try:
            self._send(peer, _SNDMORE)
            self._send(body, _NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno == errno.EHOSTUNREACH:
                raise PeerGone(peer.decode(errors="replace"), maybe_executed=False) from None
            raise
        finally:
            self._look_again()
        return True

    def drain_now(self, budget_bytes: int = 8 * 1024 * 1024) -> bool:
        """Read at once what has arrived; return ``False`` when the budget ended before the queue.

        For moments at which order matters: first what a peer sent, then that it is dead.
        Within ``on_frame`` it does nothing.
        """
        if self.closed or self._draining:
            return self.closed
        self._draining = True
        try:
            dry = self._read(budget_bytes)
        finally:
            self._draining = False
        if not dry:
            self._look_again()
        return dry

    def close(self) -> None:
        """Close at once and remove the socket file, unless another binder has replaced it."""
        if self.closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        super().close()
        if self._inode_now() == getattr(self, "_inode", None):
            self._path.unlink(missing_ok=True)

    def _inode_now(self) -> int | None:
        try:
            return os.lstat(self._path).st_ino
        except OSError:
            return GONE

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK, self._ensure)

    def _ensure(self) -> None:
        """Bind once more when the socket file is gone: cleaners of /tmp and logouts remove it.

        Peers that are connected stay so, but no new one would find the socket. A file that another
        binder has put there is left alone. Where it cannot be made it is tried again.
        """
        if self._inode_now() == GONE:
            with contextlib.suppress(EndpointError, OSError):
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._inode = bind(self._socket, self._path)
        self._look_later()

    def _read(self, budget_bytes: int) -> bool:
        recv, on_frame, known = self._recv, self._on_frame, self._known
        while budget_bytes > 0:
            try:
                peer = recv(_NOBLOCK)
            except zmq.Again:
                return True
            try:
                # Two calls, not recv_multipart, which asks RCVMORE from Python: 3 times the cost.
                body = recv(_NOBLOCK) if peer in known else self._first(peer)
                budget_bytes -= len(body) + OVERHEAD_BYTES
                on_frame(peer, body)
            except Exception as error:  # noqa: BLE001 - handed to on_error; the drain must go on
                budget_bytes -= OVERHEAD_BYTES
                self._fault(error)
            if self.closed:
                return True
        return False

    def _first(self, peer: bytes) -> bytes:
        """Read a peer's first message with care; ``peer`` may be a stray part of another one."""
        parts = [peer]
        while self._socket.getsockopt(_RCVMORE):
            parts.append(self._recv(_NOBLOCK))
        if len(parts) != 2:
            raise FrameError("a message of more than one part")
        if not peer or peer[0] == 0:  # ZeroMQ's own name for a connection that was taken over
            raise FrameError("a message of a connection that its peer has replaced")
        if len(self._known) >= KNOWN_PEERS:
            self._known.clear()  # of peers long gone, mostly; those alive are learnt again
        self._known.add(peer)
        return parts[1]


class Dealer(Socket):
    """The connecting end, one peer of a ``Router``, which it finds again after any restart.

    An empty body is the router's greeting: the connection is new, and what was sent on an
    earlier one may be lost.
    ``identity`` must be unique among the living peers, or the router ignores this one.
    What is sent while there is no router waits here, up to ``hwm`` messages.
    """

    def __init__(
        self,
        address: str,
        identity: str,
        on_frame: Callable[[bytes], None],
        *,
        on_writable: Callable[[], None] | None = None,
        hwm: int = HWM,
        byte_budget: int = BYTE_BUDGET,
        max_bytes: int = MAX_BYTES,
        on_error: OnError | None = None,
    ) -> None:
        super().__init__(
            zmq.DEALER, hwm=hwm, byte_budget=byte_budget, max_bytes=max_bytes, on_error=on_error
        )
        self._on_frame = on_frame
        self._on_writable = on_writable
        self._full = False
        self._socket.setsockopt(zmq.ROUTING_ID, identity.encode())
        self._socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        if not address.startswith("ipc:"):
            # The kernel tells at once when the process behind a unix socket is gone. One that
            # is only stopped loses nothing as long as nobody gives up the connection.
            self._socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
            self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)
        try:
            check_path(socket_path(address))
            self._socket.connect(address)
        except BaseException:
            self.close()
            raise
        self._watch()

    def send(self, body: bytes) -> bool:
        """Queue ``body``; return ``False`` when the queue is full: ``on_writable`` follows once."""
        if self.closed:
            return False
        if len(body) > self.max_bytes:
            raise FrameError(f"message of {len(body)} bytes, at most {self.max_bytes} go")
        try:
            self._send(body, _NOBLOCK)
        except zmq.Again:
            self._full = True
            return False
        finally:
            self._look_again()
        return True

    def _read(self, budget_bytes: int) -> bool:
        recv, on_frame = self._recv, self._on_frame
        while budget_bytes > 0:
            try:
                body = recv(_NOBLOCK)
            except zmq.Again:
                break
            budget_bytes -= len(body) + OVERHEAD_BYTES
            try:
                on_frame(body)
            except Exception as error:  # noqa: BLE001 - handed to on_error; the drain must go on
                self._fault(error)
            if self.closed:
                return True
        if self._full:
            self._tell_writable()
        return self.closed or budget_bytes > 0

    def _tell_writable(self) -> None:
        if not int(self._socket.getsockopt(_EVENTS)) & _POLLOUT:
            return
        self._full = False
        if self._on_writable is None:
            return
        try:
            self._on_writable()
        except Exception as error:  # noqa: BLE001 - as for on_frame
            self._fault(error)

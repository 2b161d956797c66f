"""Serves a link: authenticates the peers that connect, reads their messages and sends to each.

Both ends may start and restart in any order. A message is one body; its meaning is defined in
``ipc.frames.data`` and ``ipc.frames.control``. The peers' end is ``ipc.zeromq.dealer``.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

import zmq

from ipc.endpoints import socket_path
from ipc.errors import FrameError, PeerGone
from ipc.identity.peer import PeerProof
from ipc.zeromq.binding import Binding
from ipc.zeromq.connection_rate import ConnectionRate
from ipc.zeromq.handshakes import DOMAIN, Handshakes
from ipc.zeromq.routing_ids import RoutingIds
from ipc.zeromq.socket import (
    BYTE_BUDGET,
    HWM,
    MAX_BYTES,
    OVERHEAD_BYTES,
    OnError,
    Socket,
    too_large,
)

_NOBLOCK = int(zmq.NOBLOCK)
_SNDMORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_RCVMORE = int(zmq.RCVMORE)


class Router(Socket):
    """The bound end, bound at its creation; calls ``on_frame(peer, body)`` with every message.

    ``peer`` is the public name of a worker that was authenticated in the handshake
    (``ipc.zeromq.handshakes``). On the wire it has a secret name, ZeroMQ's routing id. Without it,
    nobody can send as that peer or take over its connection; it never leaves this class.

    An exception of ``on_frame`` is passed to ``on_error`` and affects only that message; a
    ``FrameError`` carries the name of its sender. Also dropped are messages of several parts, which
    our peers do not send, messages under an unknown id, and unread data of a replaced connection.
    ``bytes_read`` counts everything that was read.
    """

    def __init__(
        self,
        address: str,
        proof: PeerProof,
        on_frame: Callable[[bytes, bytes], None],
        *,
        hwm: int = HWM,
        byte_budget: int = BYTE_BUDGET,
        max_bytes: int = MAX_BYTES,
        on_error: OnError | None = None,
        on_warning: Callable[[str], None] = lambda text: None,
    ) -> None:
        super().__init__(
            zmq.ROUTER, hwm=hwm, byte_budget=byte_budget, max_bytes=max_bytes, on_error=on_error
        )
        self._proof = proof
        self._on_frame = on_frame
        self._on_warning = on_warning
        self._peers = RoutingIds()
        self._handshakes: Handshakes | None = None
        self._refused = 0  # by handlers that are closed
        self._rate = ConnectionRate()
        self.bytes_read = 0
        self._binding = Binding(socket_path(address))
        self._open()
        try:
            self._binding.open(self._socket)
        except BaseException:
            self.close()
            raise
        self._watch()

    @property
    def refused(self) -> int:
        """The number of refused handshakes."""
        return self._refused + (self._handshakes.refused if self._handshakes else 0)

    @property
    def known(self) -> int:
        """The number of keys with an authenticated incarnation that are not forgotten."""
        return len(self._peers)

    @property
    def reconnecting(self) -> dict[str, int]:
        """The workers that never stay connected, with how often they connected in 10 s."""
        return self._rate.excessive(self._loop.time())

    def settle(self) -> bool:
        """Hide from new peers for a moment, and read handshakes; return whether none is left.

        Each one takes memory until it is read, even if its connection ended long before.
        """
        self._binding.hide()
        return self._handshakes is None or self._handshakes.settle()

    def rebind(self) -> None:
        """Drop every connection and all unfinished messages, and bind again."""
        self._shut()
        self._open()
        self._binding.replace(self._socket)
        self._watch()

    def _open(self) -> None:
        # A context of its own: in each there is one place at which ZeroMQ looks for the handler.
        self._context = zmq.Context()
        self._handshakes = Handshakes(
            self._context,
            self._proof,
            self._peers.add,
            self._on_warning,
            self._binding.hide,
            self._rate,
        )
        super()._open()
        self._socket.setsockopt(zmq.PLAIN_SERVER, 1)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        # Without it messages to absent or stalled peers vanish and the send "succeeds".
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        # Without it a peer that reconnects before its old connection is read to the end is
        # ignored for ever (tried: link lost, or this process stopped, under load).
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.setsockopt(zmq.PROBE_ROUTER, 1)
        self._handshakes.connections.follow(self._socket, str(self._binding.path))

    def _shut(self) -> None:
        if self._handshakes is not None:
            self._handshakes.connections.close()
        super()._shut()
        if self._handshakes is not None:
            self._refused = self.refused
            self._handshakes.close()
            self._handshakes = None
        if self._context is not None:
            self._context.term()  # cannot hang: its sockets are closed, and none lingers
            self._context = None

    def forget(self, key: str, last: int) -> None:
        """Drop the incarnations of a key up to ``last``, because its account was removed."""
        self._peers.forget(key, last)
        self._rate.forget(key, last)

    def send(self, peer: bytes, body: bytes) -> bool:
        """Queue ``body`` for ``peer``; return ``False`` when that peer's queue is full.

        Raises ``PeerGone`` if no such peer is connected. After a peer with a full queue was killed,
        ZeroMQ may report "full" until the peer's data is read.
        """
        if self.closed:
            raise _gone(peer)
        if len(body) > self.max_bytes:
            raise too_large(body, self.max_bytes)
        routing_id = self._peers.ids.get(peer)
        if routing_id is None:
            raise _gone(peer)
        try:
            self._send(routing_id, _SNDMORE)
            self._send(body, _NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno == errno.EHOSTUNREACH:
                raise _gone(peer) from None
            raise
        finally:
            self._schedule_read()
        return True

    def drain_now(self, budget_bytes: int = 8 * 1024 * 1024) -> bool:
        """Read pending messages now; return ``False`` if the budget ended before the queue.

        For cases in which order matters: a peer's messages before the report of its death. Within
        ``on_frame`` it does nothing.
        """
        if self.closed or self._draining:
            return self.closed
        self._draining = True
        try:
            dry = self._read(budget_bytes)
        finally:
            self._draining = False
        if not dry:
            self._schedule_read()
        return dry

    def close(self) -> None:
        """Close at once and remove the socket file, unless another binder has replaced it."""
        if self.closed:
            return
        super().close()
        self._binding.close()

    def _read(self, budget_bytes: int) -> bool:
        recv, on_frame, names, before = self._recv, self._on_frame, self._peers.names, budget_bytes
        try:
            while budget_bytes > 0:
                try:
                    routing_id = recv(_NOBLOCK)
                except zmq.Again:
                    return True
                budget_bytes -= OVERHEAD_BYTES
                peer = names.get(routing_id)
                if peer is None:
                    budget_bytes -= self._skip()
                    continue
                try:
                    # Two calls, not recv_multipart, which asks RCVMORE from Python: 3 times the
                    # cost. Asking it here takes 0.8 µs, and only malformed messages need it.
                    body = recv(_NOBLOCK)
                except zmq.Again:
                    return True  # the id was the last part of a malformed message
                budget_bytes -= len(body)
                try:
                    on_frame(peer, body)
                except FrameError as error:
                    self._refuse(error, peer)
                    budget_bytes -= self._realign(body)
                except Exception as error:  # noqa: BLE001 - to on_error; the drain must go on
                    self._report_error(error)
                if self.closed:
                    return True
            return False
        finally:
            self.bytes_read += before - budget_bytes

    def _refuse(self, error: FrameError, peer: bytes) -> None:
        error.peer = peer.decode(errors="replace")
        self._report_error(error)

    def _read_rest(self) -> list[bytes]:
        """Read the remaining parts of the current message."""
        parts = []
        while not self.closed and self._socket.getsockopt(_RCVMORE):
            parts.append(self._recv(_NOBLOCK))
        return parts

    def _skip(self) -> int:
        """Drop a message under an unknown id; return its size.

        The id is a wrong guess of a peer, ZeroMQ's own name for a replaced connection, or the
        second part of a message with too many parts.
        """
        size = sum(map(len, self._read_rest()))
        self._report_error(FrameError("a message that is no peer's, or has too many parts"))
        return size

    def _realign(self, body: bytes) -> int:
        """Find the next message after a malformed one; return the number of bytes read.

        If the parts got out of step, the malformed body was perhaps the id of the next peer, whose
        valid message follows.
        """
        rest = self._read_rest()
        peer = self._peers.names.get(body)
        if peer is not None and len(rest) == 1:
            try:
                self._on_frame(peer, rest[0])
            except FrameError as error:
                self._refuse(error, peer)
            except Exception as error:  # noqa: BLE001 - as for every other message
                self._report_error(error)
        return sum(map(len, rest))


def _gone(peer: bytes) -> PeerGone:
    return PeerGone(peer.decode(errors="replace"), maybe_executed=False)

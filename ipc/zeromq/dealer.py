"""Connects to the router of a link, and connects again after any restart of either end.

The other end, and what both have in common, is described in ``ipc.zeromq.router``.
"""

from __future__ import annotations

from collections.abc import Callable

import zmq

from ipc.endpoints import check_path, socket_path
from ipc.identity.peer import PeerCredentials
from ipc.zeromq.socket import (
    BYTE_BUDGET,
    HWM,
    MAX_BYTES,
    OVERHEAD_BYTES,
    OnError,
    Socket,
    too_large,
)

# The pause between two tries to connect doubles: 200 peers of a stopped gateway that tried every
# 10 ms took 0.4 of a core.
RECONNECT_MS = 10
RECONNECT_MAX_MS = 160
HEARTBEAT_MS = 1000
SILENCE_MS = 3000

_NOBLOCK = int(zmq.NOBLOCK)
_EVENTS = int(zmq.EVENTS)
_POLLIN = int(zmq.POLLIN)
_POLLOUT = int(zmq.POLLOUT)


class Dealer(Socket):
    """The connecting end, one peer of a ``Router``, which reconnects after any restart.

    An empty body is the router's greeting: the connection is new, and messages sent on an earlier
    one may be lost. ``credentials`` are those of one worker; of two processes with the same ones
    the router accepts the later. Messages sent without a router wait here, up to ``hwm``. After a
    refusal of the credentials it does not try again.
    """

    def __init__(
        self,
        address: str,
        credentials: PeerCredentials,
        on_frame: Callable[[bytes], None],
        *,
        on_writable: Callable[[], None] | None = None,
        hwm: int = HWM,
        byte_budget: int = BYTE_BUDGET,
        max_bytes: int = MAX_BYTES,
        on_error: OnError | None = None,
        linger_ms: int = 0,
    ) -> None:
        super().__init__(
            zmq.DEALER,
            hwm=hwm,
            byte_budget=byte_budget,
            max_bytes=max_bytes,
            on_error=on_error,
            linger_ms=linger_ms,
        )
        self._on_frame = on_frame
        self._on_writable = on_writable
        self._full = False
        self._open()
        self._set_options(credentials, heartbeats=not address.startswith("ipc:"))
        try:
            check_path(socket_path(address))
            self._socket.connect(address)
        except BaseException:
            self.close()
            raise
        self._watch()

    def _set_options(self, credentials: PeerCredentials, *, heartbeats: bool) -> None:
        """Set credentials and pace of reconnecting.

        A unix socket needs no heartbeats: the kernel reports at once that the process behind it has
        ended. A process that is only stopped loses nothing as long as the connection is kept.
        """
        socket = self._socket
        socket.setsockopt(zmq.PLAIN_USERNAME, credentials.name.encode())
        socket.setsockopt(zmq.PLAIN_PASSWORD, credentials.token.encode())
        socket.setsockopt(zmq.ROUTING_ID, credentials.routing_id)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        if heartbeats:
            socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
            socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)

    def send(self, body: bytes) -> bool:
        """Queue ``body``; return ``False`` when the queue is full: ``on_writable`` follows once."""
        if self.closed:
            return False
        if len(body) > self.max_bytes:
            raise too_large(body, self.max_bytes)
        try:
            self._send(body, _NOBLOCK)
        except zmq.Again:
            self._full = True
            return False
        finally:
            self._schedule_read()
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
                self._report_error(error)
            if self.closed:
                return True
        if self._full and self._notify_writable():
            return self.closed
        return self.closed or budget_bytes > 0

    def _notify_writable(self) -> bool:
        """Report room in the queue, if there is any; return whether to check the socket again.

        Querying or sending may consume the edge of messages that arrived meanwhile.
        """
        events = int(self._socket.getsockopt(_EVENTS))
        if not events & _POLLOUT:
            return bool(events & _POLLIN)
        self._full = False
        if self._on_writable is not None:
            try:
                self._on_writable()
            except Exception as error:  # noqa: BLE001 - as for on_frame
                self._report_error(error)
        return True

"""Our own gateway: a child with the listening socket that the supervisor opened.

The socket is the supervisor's, so that a gateway restart refuses no client; it is closed when no
other process is to follow: the gateway is stopped on purpose, or failed.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import socket

import msgspec

from ipc.identity.trust import trusting
from runtime.config.variables import referenced
from runtime.supervisor.child import Process
from runtime.supervisor.gateways.interface import (
    NAME,
    GatewayContext,
    GatewaySession,
    Listener,
    SessionEvents,
)
from runtime.supervisor.gateways.own_session import OwnSession
from runtime.supervisor.gateways.port import listen, url_of
from runtime.supervisor.gateways.stderr import StderrRing
from runtime.supervisor.gateways.stderr_verdict import ProcessWithStderr
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.policy import GATEWAY_POLICY, Policy
from runtime.supervisor.processes.process import Spec


class ListeningSocket:
    """The socket that clients connect to; it outlives the processes that inherit it.

    ``port`` is 0 until the kernel has chosen one, where it is to choose.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._socket: socket.socket | None = None

    def fileno(self) -> int:
        """Return the descriptor of the open socket."""
        assert self._socket is not None
        return self._socket.fileno()

    def open(self) -> None:
        """Open the socket unless it is open; raises ``PortUnusable``."""
        if self._socket is None:
            self._take(listen(self.host, self.port))

    async def open_by_force(self) -> None:
        """Open the socket, and end the programs that hold the port; raises ``PortUnusable``."""
        if self._socket is None:
            taken = await asyncio.to_thread(listen, self.host, self.port, force=True)
            if self._socket is None:
                self._take(taken)
            else:  # another request was faster
                taken.close()

    def close(self) -> None:
        """Stop queueing clients: from now on they are refused."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _take(self, opened: socket.socket) -> None:
        self._socket = opened
        self.port = opened.getsockname()[1]


class OwnGateway:
    """Starts our own gateway. ``certificate`` is the file with which its port is encrypted."""

    name = "own"

    def __init__(
        self,
        host: str,
        port: int,
        context: GatewayContext,
        *,
        silence: float = 30.0,
        policy: Policy = GATEWAY_POLICY,
        certificate: str | None = None,
    ) -> None:
        self.policy = policy
        self.silence = silence
        self._context = context
        self._certificate = certificate
        self._token = secrets.token_urlsafe(32)
        self._socket = ListeningSocket(host, port)
        self.listener: Listener | None = self._socket
        self._stderr = StderrRing()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._socket.port

    @property
    def url(self) -> str:
        """Where this host reaches the gateway."""
        url = url_of(self._socket.host, self._socket.port)
        return url if self._certificate is None else url.replace("ws://", "wss://", 1)

    @property
    def last_error(self) -> str | None:
        """The last line on its standard error that is worth a warning."""
        return self._stderr.last_error

    async def spawn(self, incarnation: int, stopping: asyncio.Event) -> Process:
        """Start it with the socket."""
        self._socket.open()  # it is closed after a stop that was taken back, and while failed
        boot = self._context.boot(incarnation, self._token)
        process = await self._context.launcher.spawn(
            Spec(
                name=f"{NAME}#{incarnation}",
                target="runtime.gateway.main:main",
                payload=msgspec.msgpack.encode(boot),
                fds={"listen": self._socket.fileno()},
                variables=referenced(boot.gateway),
            )
        )
        self._stderr = StderrRing()
        return await ProcessWithStderr.capture(
            process, self._context.logs, incarnation, self._stderr, _unchanged
        )

    def session(self, incarnation: int, events: SessionEvents) -> GatewaySession:
        """Return the session over which the accounts are reported."""
        file = self._certificate
        return OwnSession(
            self.url,
            self._token,
            events,
            version=self._context.version,
            reporter=self._context.reporter,
            answer=self._context.answer,
            silence=self.silence,
            tls=None if file is None else functools.partial(trusting, file),
        )


def _unchanged(how: Exit, lines: list[str]) -> Exit:
    """Return the exit as it is: our own gateway gives its cause by exit code and last words."""
    return how

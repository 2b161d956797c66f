"""Starts the gateway as a child process, with listening sockets that the supervisor opened.

The supervisor owns them, so that a restart of the gateway refuses no client; they are closed when
no other process will follow, because the gateway was stopped or has failed. The same holds for the
slots in which the sockets of young connections outlive a gateway that is killed.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

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
from runtime.supervisor.gateways.port import PortUnusable, listen, url_of
from runtime.supervisor.gateways.stderr import StderrRing
from runtime.supervisor.gateways.stderr_verdict import ProcessWithStderr
from runtime.supervisor.gateways.young_sockets import YoungHolders
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.policy import GATEWAY_POLICY, Policy
from runtime.supervisor.processes.process import Spec

log = structlog.get_logger("gateway")


class ListeningSocket:
    """The socket that clients connect to; it outlives the processes that inherit it.

    If ``port`` is 0 the kernel chooses one when the socket is opened.
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
            self._set_socket(listen(self.host, self.port))

    async def open_by_force(self) -> None:
        """Open the socket, and end the programs that hold the port; raises ``PortUnusable``."""
        if self._socket is None:
            taken = await asyncio.to_thread(listen, self.host, self.port, force=True)
            if self._socket is None:
                self._set_socket(taken)
            else:  # another request was faster
                taken.close()

    def close(self) -> None:
        """Stop queueing clients: from now on they are refused."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _set_socket(self, opened: socket.socket) -> None:
        self._socket = opened
        self.port = opened.getsockname()[1]


class CanvasSocket:
    """The listening socket of the canvas host, if it has its own port.

    If the port cannot be opened the gateway still starts: ``warnings`` has a sentence about it, and
    the next start of the gateway tries again.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._port: int | None = None
        self._socket: socket.socket | None = None

    def open(self, host: str, section: Mapping[str, Any]) -> int | None:
        """Listen as the section ``canvasHost`` says; return the descriptor, if there is one."""
        port: int | None = section.get("port") if section.get("enabled") else None
        if port != self._port:
            self.close()
        self.warnings = []
        if port is not None and self._socket is None:
            try:
                self._socket, self._port = listen(host, port), port
            except PortUnusable as error:
                why = str(error).partition("; ")[0]
                log.error("no port for the canvas host", port=port, error=why)
                cure = "free it and restart the gateway, or choose another one"
                self.warnings = [f"canvasHost.port: {why}; {cure}"]
        return None if self._socket is None else self._socket.fileno()

    def close(self) -> None:
        """Close the socket: clients are refused from now on."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._port = None


class GatewaySockets:
    """The sockets of a gateway: its start opens them, its stop closes them."""

    def __init__(self, clients: ListeningSocket, canvas: CanvasSocket, young: YoungHolders) -> None:
        self._clients = clients
        self._canvas = canvas
        self._young = young

    def open(self) -> None:
        """Open the clients' socket; raises ``PortUnusable``. The canvas socket follows later."""
        self._clients.open()

    async def open_by_force(self) -> None:
        """Open the port after ending the programs that hold it."""
        await self._clients.open_by_force()

    def close(self) -> None:
        """Close them all."""
        self._clients.close()
        self._canvas.close()
        self._young.close()


class OwnGateway:
    """Our own gateway. ``certificate`` is the certificate file of its port, if encrypted.

    The next process takes what the configuration says when it is started.
    """

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
        self._canvas = CanvasSocket()
        self._young = YoungHolders()
        self.listener: Listener | None = GatewaySockets(self._socket, self._canvas, self._young)
        self._stderr = StderrRing()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._socket.port

    @property
    def url(self) -> str:
        """The URL at which this host reaches the gateway."""
        url = url_of(self._socket.host, self._socket.port)
        return url if self._certificate is None else url.replace("ws://", "wss://", 1)

    @property
    def last_error(self) -> str | None:
        """The last line on its standard error that is worth a warning."""
        return self._stderr.last_error

    @property
    def warnings(self) -> Sequence[str]:
        """Warnings about ports that could not be opened, one sentence each."""
        return self._canvas.warnings

    async def spawn(self, incarnation: int, stopping: asyncio.Event) -> Process:
        """Start the gateway's process with its sockets."""
        self._socket.open()  # it is closed after a stop that was taken back, and while failed
        boot = self._context.boot(incarnation, self._token)
        self._certificate = certificate_of(boot.gateway)  # the configuration may have changed
        fds = {"listen": self._socket.fileno()}
        if (canvas := self._canvas.open(self._socket.host, boot.canvas)) is not None:
            fds["canvas"] = canvas
        with self._young.carrier() as young:
            if young is not None:
                fds["young"] = young
            process = await self._context.launcher.spawn(
                Spec(
                    name=f"{NAME}#{incarnation}",
                    target="runtime.gateway.main:main",
                    payload=msgspec.msgpack.encode(boot),
                    fds=fds,
                    variables=referenced(boot.gateway),
                    last_files=True,
                )
            )
        self._stderr = StderrRing()
        return await ProcessWithStderr.capture(
            process, self._context.logs, incarnation, self._stderr, _unchanged
        )

    def session(self, incarnation: int, events: SessionEvents) -> GatewaySession:
        """Return the session that reports the accounts."""
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


def certificate_of(gateway: Mapping[str, Any]) -> str | None:
    """Return the certificate file of the gateway that has this section of the configuration."""
    tls = gateway.get("tls") or {}
    path: str | None = tls.get("certPath")
    return path if tls.get("enabled") else None


def _unchanged(how: Exit, lines: list[str]) -> Exit:
    """Return the exit unchanged: our own gateway gives its cause by exit code and last words."""
    return how

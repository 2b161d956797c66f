"""Our own gateway: a child with the listening socket that the supervisor opened.

The socket is the supervisor's, so that a gateway restart refuses nobody; it is closed only
when the gateway is stopped on purpose.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ipc.frames.bootstrap import GatewayBoot
from ipc.identity.trust import trusting
from runtime.supervisor.child import Process
from runtime.supervisor.gateways.interface import Link, News
from runtime.supervisor.gateways.own_session import Reporter, Session
from runtime.supervisor.gateways.port import listen, url_of
from runtime.supervisor.gateways.stderr import Complaints
from runtime.supervisor.gateways.stderr_verdict import Judged
from runtime.supervisor.lifecycle import GATEWAY_POLICY, Exit, Policy
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import Spec

NAME = "gateway"


class OwnGateway:
    """``boot(incarnation, token)`` makes the bootstrap object of one incarnation.

    ``certificate`` is the file with which its port is encrypted.
    """

    kind = "own"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        version: str,
        launcher: Launcher,
        logs: LogStore,
        boot: Callable[[int, str], GatewayBoot],
        reporter: Reporter,
        answer: Callable[[str, Any], Awaitable[Any]],
        silence: float = 30.0,
        policy: Policy = GATEWAY_POLICY,
        certificate: str | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.policy = policy
        self.silence = silence
        self._version = version
        self._launcher = launcher
        self._logs = logs
        self._boot = boot
        self._reporter = reporter
        self._answer = answer
        self._certificate = certificate
        self._token = secrets.token_urlsafe(32)
        self._socket: socket.socket | None = None
        self._complaints = Complaints()

    @property
    def url(self) -> str:
        """Where this host reaches the gateway."""
        url = url_of(self.host, self.port)
        return url if self._certificate is None else url.replace("ws://", "wss://", 1)

    @property
    def last_error(self) -> str | None:
        """The last line on its standard error that is worth a warning."""
        return self._complaints.last_error

    def open(self, *, force: bool = False) -> None:
        """Open the listening socket; raises ``PortUnusable``."""
        if self._socket is None:
            self._socket = listen(self.host, self.port, force=force)
            self.port = self._socket.getsockname()[1]

    async def seize(self) -> None:
        """Open the socket, and end the programs that hold the port; raises ``PortUnusable``."""
        if self._socket is None:
            taken = await asyncio.to_thread(listen, self.host, self.port, force=True)
            if self._socket is None:
                self._socket = taken
            else:  # somebody else was faster
                taken.close()

    def close(self) -> None:
        """Stop queueing clients: from now on they are refused."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def interrupt(self) -> None:
        """Do nothing: its start takes milliseconds."""

    def refused(self, reason: str) -> None:
        """Do nothing: a gateway of ours that refuses us is replaced."""

    async def spawn(self, incarnation: int) -> Process:
        """Start it with the socket."""
        self.open()  # a stop that was taken back may have closed it
        assert self._socket is not None
        boot = self._boot(incarnation, self._token)
        process = await self._launcher.spawn(
            Spec(
                name=f"{NAME}#{incarnation}",
                target="runtime.gateway.main:main",
                payload=msgspec.msgpack.encode(boot),
                fds={"listen": self._socket.fileno()},
            )
        )
        self._complaints = Complaints()
        return await Judged.of(process, self._logs, NAME, incarnation, self._complaints, _as_it_is)

    def session(self, incarnation: int, news: News) -> Link:
        """Return the session over which the accounts are reported."""
        file = self._certificate
        return Session(
            self.url,
            self._token,
            version=self._version,
            reporter=self._reporter,
            answer=self._answer,
            on_up=news.up,
            on_lost=news.lost,
            on_fault=news.fault,
            silence=self.silence,
            tls=None if file is None else functools.partial(trusting, file),
        )


def _as_it_is(how: Exit, lines: list[str]) -> Exit:
    """Judge nothing: a gateway of ours says by its exit code and its last words what is wrong."""
    return how

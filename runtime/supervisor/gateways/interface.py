"""Declares the interface of the kinds of gateways: our own, a foreign program, an attached one.

``ManagedGateway`` runs any of them with the same lifecycle. A ``GatewayKind`` defines how it is
started, how the session to it is held, and which time limits apply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from ipc.frames.bootstrap import GatewayBoot
from runtime.supervisor.child import Process
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.policy import Policy
from runtime.supervisor.processes.launcher import Launcher

NAME = "gateway"  # of its child, its peer and its log


class SessionEvents(msgspec.Struct, frozen=True):
    """The callbacks of a session: it is ``up``, it was ``lost``, the gateway has a ``fault``.

    ``lost``, ``fault`` and ``refused`` get the reason. After ``refused`` retrying cannot help.
    """

    up: Callable[[], None]
    lost: Callable[[str], None]
    fault: Callable[[str], None]
    refused: Callable[[str], None]


class GatewaySession(Protocol):
    """A session to one incarnation of the gateway."""

    connected: bool

    @property
    def attempts(self) -> int:
        """How many times opening the session was tried."""

    def send_changes(self) -> None:
        """Send the reporter's pending changes soon."""

    async def run(self) -> None:
        """Run the session until cancelled."""

    async def try_call(self, method: str, params: dict[str, Any] | None) -> str | None:
        """Call the gateway if that is possible; return what went wrong, or ``None``."""

    async def ask(self, method: str, params: dict[str, Any] | None) -> Any:
        """Return the gateway's answer; raises ``IpcError``, at once while there is no session."""


class Listener(Protocol):
    """The listening port of a gateway that we start."""

    def open(self) -> None:
        """Open the port, or check that it is free; raises ``PortUnusable``."""

    async def open_by_force(self) -> None:
        """Open the port after ending the programs that hold it; raises ``PortUnusable``."""

    def close(self) -> None:
        """Close what ``open`` opened."""


class GatewayKind(Protocol):
    """One kind of gateway; ``name`` is ``own``, ``command`` or ``attached``.

    ``listener`` is ``None`` if the port is not ours to open or to free.
    """

    name: str
    policy: Policy
    listener: Listener | None

    @property
    def port(self) -> int:
        """The port that it listens on, for display."""

    @property
    def url(self) -> str:
        """The URL at which this host reaches the gateway."""

    @property
    def last_error(self) -> str | None:
        """The last line on its standard error that is worth a warning."""

    @property
    def warnings(self) -> Sequence[str]:
        """Warnings about ports that could not be opened, one sentence each."""

    async def spawn(self, incarnation: int, stopping: asyncio.Event) -> Process:
        """Start the gateway; work before the process exists is abandoned if ``stopping`` is set."""

    def session(self, incarnation: int, events: SessionEvents) -> GatewaySession:
        """Return a session to the gateway, which is not open yet."""


class Reporter(Protocol):
    """Creates the params of ``channels.report``, which reports the accounts to the gateway."""

    def whole(self) -> dict[str, Any]:
        """Return the params of a complete report, and clear the pending changes."""

    def changes(self) -> dict[str, Any] | None:
        """Return the params of a report of the pending changes; ``None`` if there are none."""

    def on_answer(self, answer: Any) -> None:
        """Handle the gateway's answer to a report."""


class GatewayContext(msgspec.Struct, frozen=True):
    """What the supervisor provides to a gateway of any kind.

    ``boot(incarnation, token)`` creates the bootstrap object of one incarnation, ``answer`` carries
    out a request of the gateway, and after ``respawn(reason)`` another process is started at once
    when the present one ends.
    """

    version: str
    launcher: Launcher
    logs: LogStore
    boot: Callable[[int, str], GatewayBoot]
    reporter: Reporter
    answer: Callable[[str, Any, str | None], Awaitable[Any]]
    respawn: Callable[[str], None]

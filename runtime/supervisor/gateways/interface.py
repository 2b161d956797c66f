"""Declares what differs between our own gateway, a foreign program and one that runs already.

``ManagedGateway`` keeps any of them as it is wanted, with one lifecycle. Behind ``GatewayKind``
is how it is started, how the session to it is held, and how patient we are.
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
    """The callbacks of a session: it is ``up``, it was ``lost``, the gateway is at ``fault``.

    ``lost``, ``fault`` and ``refused`` take the reason. After ``refused`` no other try can help.
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

    def changed(self) -> None:
        """Send the changes of the reporter soon."""

    async def run(self) -> None:
        """Hold the session until cancelled."""

    async def tell(self, method: str, params: dict[str, Any]) -> str | None:
        """Call the gateway where that is possible; return what went wrong, if anything did."""

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Return the gateway's answer; raises ``IpcError``, at once while there is no session."""


class Listener(Protocol):
    """The port of a gateway that is started by us."""

    def open(self) -> None:
        """Take the port, or check that it is free; raises ``PortUnusable``."""

    async def open_by_force(self) -> None:
        """Do as ``open``, after ending the programs that hold the port; raises ``PortUnusable``."""

    def close(self) -> None:
        """Give back what ``open`` took."""


class GatewayKind(Protocol):
    """One way to have a gateway. ``name`` is ``own``, ``command`` or ``attached``.

    ``listener`` is ``None`` where the port is not for us to open or to free.
    """

    name: str
    policy: Policy
    listener: Listener | None

    @property
    def port(self) -> int:
        """The port that it listens on, for display."""

    @property
    def url(self) -> str:
        """Where this host reaches it."""

    @property
    def last_error(self) -> str | None:
        """The last line on its standard error that is worth a warning."""

    @property
    def warnings(self) -> Sequence[str]:
        """What of it could not be opened, one sentence each."""

    async def spawn(self, incarnation: int, stopping: asyncio.Event) -> Process:
        """Start it; work before the process exists is given up when ``stopping`` is set."""

    def session(self, incarnation: int, events: SessionEvents) -> GatewaySession:
        """Return a session to it that is not open yet."""


class Reporter(Protocol):
    """Makes the params of ``channels.report``, which reports the accounts to the gateway."""

    def whole(self) -> dict[str, Any]:
        """Return the params of a complete report, and forget what had changed."""

    def changes(self) -> dict[str, Any] | None:
        """Return the params of a report of what changed since, ``None`` when nothing did."""

    def answered(self, answer: Any) -> None:
        """Take what the gateway answered to either."""


class GatewayContext(msgspec.Struct, frozen=True):
    """What the supervisor gives to a gateway of any kind.

    ``boot(incarnation, token)`` makes the bootstrap object of one incarnation, ``answer`` carries
    out a request that the gateway makes, and after ``respawn(reason)`` another process follows at
    once when the present one ends.
    """

    version: str
    launcher: Launcher
    logs: LogStore
    boot: Callable[[int, str], GatewayBoot]
    reporter: Reporter
    answer: Callable[[str, Any, str | None], Awaitable[Any]]
    respawn: Callable[[str], None]

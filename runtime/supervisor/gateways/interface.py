"""Where the gateway comes from: ours, a foreign program, or one that runs already.

``Front`` keeps any of them as it is wanted, with one lifecycle; what differs is behind this
interface: how it is started, how the session to it is held, and how patient we are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.supervisor.child import Process
from runtime.supervisor.lifecycle import Policy


@dataclass(frozen=True, slots=True)
class News:
    """Whom a session tells. ``lost`` and ``fault`` take the reason, ``refused`` too: then no
    other try can help.
    """

    up: Callable[[], None]
    lost: Callable[[str], None]
    fault: Callable[[str], None]
    refused: Callable[[str], None]


class Link(Protocol):
    """A session to one incarnation of the gateway. ``attempts`` counts tries to open it."""

    connected: bool
    attempts: int

    def changed(self) -> None:
        """Say that there is something new to report."""

    async def run(self) -> None:
        """Hold the session until cancelled."""

    async def tell(self, method: str, params: dict[str, Any]) -> str | None:
        """Call the gateway where that is possible; return what went wrong, if anything did."""


class Source(Protocol):
    """One way to have a gateway: ``own``, ``command`` or ``attached``."""

    kind: str
    policy: Policy
    port: int

    @property
    def url(self) -> str:
        """Where this host reaches it."""

    def open(self, *, force: bool = False) -> None:
        """Make ready to start it; raises ``PortUnusable``."""

    async def seize(self) -> None:
        """Make ready, and end the programs that hold the port; raises ``PortUnusable``."""

    def close(self) -> None:
        """Give back what ``open`` took."""

    async def spawn(self, incarnation: int) -> Process:
        """Start it."""

    def interrupt(self) -> None:
        """Give up a start that has not come to a process yet."""

    def session(self, incarnation: int, news: News) -> Link:
        """Return a session to it."""

    def refused(self, reason: str) -> None:
        """Note that it is there but will not have us: a person is needed."""

    @property
    def last_error(self) -> str | None:
        """The last thing it complained about."""

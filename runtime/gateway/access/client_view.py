"""Declares the interface of a connected client for modules below ``clients``.

Presence, nodes, fan-out, the supervisor link and the hub work with these two interfaces, so
that none of them imports the clients.
"""

from __future__ import annotations

from typing import Any, Protocol

from ipc.frames.websocket import StateVersion
from ipc.websocket.connection import Connection
from runtime.gateway.access.auth import Grant
from runtime.gateway.access.handshake import Connect


class ClientView(Protocol):
    """A connected client: its identity, and the ways to send to it."""

    @property
    def id(self) -> str:
        """The id of the connection."""

    @property
    def connection(self) -> Connection:
        """The WebSocket."""

    @property
    def connect(self) -> Connect:
        """The params of its ``connect``."""

    @property
    def grant(self) -> Grant:
        """The rights of the client."""

    @property
    def protocol(self) -> int:
        """The protocol that it speaks: 3 or 4."""

    @property
    def role(self) -> str:
        """Its role: operator, node or supervisor."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """Its scopes."""

    @property
    def device(self) -> str | None:
        """The id of its device, if it has proved one."""

    @property
    def address(self) -> str:
        """The address from which it connects."""

    @property
    def since(self) -> float:
        """The loop's time when it was admitted."""

    @property
    def asked(self) -> int:
        """How many requests it has made."""

    @property
    def failed(self) -> int:
        """How many of its requests were answered with an error."""

    def covers(self, scope: str | None) -> bool:
        """Return whether the client has ``scope``."""

    def end_young(self) -> None:
        """Exempt the connection from resumption: a kill of this gateway closes it."""

    def send_event(
        self, name: str, payload: Any, state_version: StateVersion | None = None
    ) -> None:
        """Send it a numbered event."""

    def send_long_event(
        self, name: str, payload: bytes, state_version: StateVersion | None = None
    ) -> None:
        """Send it a numbered event; it keeps no copy of its own of ``payload``, a JSON text."""

    def send_unnumbered(self, name: str, payload: Any) -> None:
        """Send it an event without a number."""


class WaitingAdmission(Protocol):
    """A granted ``connect`` that waits for the first report of the supervisor."""

    def proceed(self) -> None:
        """Admit the client."""

    def turn_away(self) -> None:
        """Refuse the client, because the gateway ends."""

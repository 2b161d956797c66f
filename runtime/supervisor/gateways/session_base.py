"""Holds what the sessions to gateways of all kinds have in common: reconnecting, and calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import structlog

from ipc.errors import IpcError, PeerGone
from ipc.websocket.backoff import RetryPolicy
from ipc.websocket.client import Client
from ipc.websocket.reconnect_loop import Failure, ReconnectLoop
from runtime.supervisor.gateways.interface import SessionEvents

log = structlog.get_logger("session")


class SessionBase(ABC):
    """The part of a ``GatewaySession`` that is the same for every kind of gateway.

    A subclass sets ``_client`` while a session is open, and ``connected`` while it can be used.
    """

    VERIFY_WITHIN: ClassVar[float] = 5.0  # seconds for the answer to one call

    def __init__(self, events: SessionEvents, policy: RetryPolicy) -> None:
        self.connected = False
        self._events = events
        self._client: Client | None = None
        self._loop = ReconnectLoop(
            self._connect,
            self._serve,
            policy=policy,
            on_lost=self._on_lost,
            on_failure=self._on_failed,
        )

    async def run(self) -> None:
        """Open one session after another, and serve each, until cancelled."""
        await self._loop.run()

    @property
    def attempts(self) -> int:
        """How many times opening the session was tried."""
        return self._loop.attempts

    async def try_call(self, method: str, params: dict[str, Any] | None) -> str | None:
        """Call the gateway if that is possible; return what went wrong, or ``None``."""
        if self._client is None:
            return "not connected"
        try:
            await self.ask(method, params)
        except IpcError as error:
            reason = self._hide(str(error))
            log.debug("not sent", method=method, error=reason)
            return reason
        return None

    async def ask(self, method: str, params: dict[str, Any] | None) -> Any:
        """Return the gateway's answer; raises ``IpcError``, at once while there is no session."""
        if self._client is None:
            raise PeerGone("the gateway", maybe_executed=False)
        return await self._client.call(method, params, timeout=self.VERIFY_WITHIN)

    @abstractmethod
    async def _connect(self) -> Client:
        """Open a session."""

    @abstractmethod
    async def _serve(self, client: Client) -> str:
        """Serve an open session until it closes; return why it closed."""

    @abstractmethod
    def _on_lost(self, reason: str) -> bool:
        """Report that an open session has ended; return whether to open another one."""

    @abstractmethod
    def _on_failed(self, failure: Failure) -> bool:
        """Report that no session could be opened; return whether to try again."""

    def _hide(self, text: str) -> str:
        """Return the text of an error without the secrets of the session."""
        return text

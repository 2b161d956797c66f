"""Watches an account, and acts on it, as a client of its gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ipc.errors import IpcError, RemoteError
from ipc.frames.websocket import Event
from ipc.nesting import decode_json
from ipc.websocket.reconnecting import GAP, ReconnectingClient, Subscription
from workers.messages import Happened, Inbound, MessageEvent
from workers.testing.daemon import TOKEN
from workers.testing.loop_thread import PATIENCE


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """The outcome of a send. ``reason`` is the word of ``SendFailed``."""

    ok: bool
    id: str = ""
    error: str = ""
    reason: str | None = None
    retryable: bool = False
    retry_after: float | None = None  # seconds
    maybe_sent: bool = False
    payload: dict[str, Any] = field(default_factory=dict)


class KitClient:
    """One client, over all restarts of the gateway.

    ``events`` are those received, in order; ``gaps`` are the gateway's reports of missing events.
    """

    def __init__(self) -> None:
        self.events: list[Inbound | Happened] = []
        self.gaps: list[str] = []
        self._client: ReconnectingClient | None = None

    async def open(self, port: int, key: str) -> None:
        """Connect to the gateway, and watch the account ``key``."""
        self._client = ReconnectingClient(
            f"ws://127.0.0.1:{port}",
            token=TOKEN,
            on_event=self.on_event,
            subscribe=Subscription(accounts=[key]),
        )
        await self._client.open()

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            await self._client.close()

    async def call_action(self, request: dict[str, Any]) -> SendOutcome:
        """Call ``message.action``, and return what became of it."""
        assert self._client is not None, "it is not open"
        try:
            payload = await self._client.call("message.action", request, timeout=PATIENCE)
        except IpcError as error:
            return outcome_of(error)
        return SendOutcome(ok=True, id=str(payload.get("messageId") or ""), payload=payload)

    def on_event(self, event: Event) -> None:
        """Store the inbound message, happening or gap of an event."""
        if not isinstance(event.payload, msgspec.Raw):
            return
        if event.event == "channel.message":
            message = decode_json(event.payload, MessageEvent)
            if message.direction == "in":
                self.events.append(decode_json(message.message, Inbound))
        elif event.event in ("channel.gap", GAP):
            self.gaps.append(bytes(event.payload).decode())
        elif event.event == "channel.event":
            payload = decode_json(event.payload, dict[str, msgspec.Raw])
            self.events.append(decode_json(payload["happened"], Happened))


def outcome_of(error: IpcError) -> SendOutcome:
    """Return the outcome that an error is."""
    if not isinstance(error, RemoteError):
        return SendOutcome(ok=False, error=str(error), maybe_sent=True)
    details = error.details if isinstance(error.details, dict) else {}
    after = error.retry_after_ms
    return SendOutcome(
        ok=False,
        error=error.message,
        reason=details.get("reason"),
        retryable=error.retryable,
        retry_after=None if after is None else after / 1000,
        maybe_sent=bool(details.get("maybeExecuted")),
    )

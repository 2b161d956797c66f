"""The supervisor's session as the gateway sees it: whom to ask, and what it answered.

Asked the way OpenClaw asks a node: an event to that connection alone, answered by a request.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.calls import Calls
from ipc.errors import RemoteError
from ipc.frames.websocket import ErrorShape, error_of
from ipc.frames.words import UNAVAILABLE
from runtime.gateway.access.listener import Listener

ASK_SECONDS = 20.0  # a stop may take its whole grace
_SUPERVISOR = "the supervisor"


class SupervisorLink:
    """The newest connection that has proved to be the supervisor counts."""

    def __init__(self) -> None:
        self.client: Listener | None = None
        self.calls: Calls[msgspec.Raw] = Calls()

    def open(self, client: Listener) -> None:
        """Ask this connection from now on; what the last one was asked fails."""
        self.calls.fail_all()
        self.client = client

    def close(self, client: Listener) -> None:
        """Forget a connection that is gone."""
        if client is self.client:
            self.client = None
            self.calls.fail_all()

    async def ask(self, method: str, params: Any) -> Any:
        """Return the supervisor's answer, as ``ask_raw``."""
        return msgspec.json.decode(await self.ask_raw(method, params))

    async def ask_raw(self, method: str, params: Any, seconds: float = ASK_SECONDS) -> msgspec.Raw:
        """Return the supervisor's answer as its JSON text: a large one is passed on unread.

        Raises ``RemoteError`` for its refusal or its absence, ``CallTimeout``, ``PeerGone``.
        """
        if self.client is None:
            text = f"{method}: the supervisor is not connected"
            raise RemoteError(UNAVAILABLE, text, retryable=True)
        number, future = self.calls.start(_SUPERVISOR, seconds, method)
        request = {"id": number, "method": method, "params": params}
        self.client.tell_alone("supervisor.request", request)
        return await self.calls.answer(number, future)

    def settle(self, id: int, ok: bool, payload: msgspec.Raw, error: ErrorShape | None) -> None:
        """Take an answer."""
        if ok:
            self.calls.settle(id, payload)
            return
        shape = error or ErrorShape(UNAVAILABLE, "the supervisor failed without saying why")
        self.calls.fail(id, error_of(shape))

"""Sends requests to the supervisor over its WebSocket connection and awaits the answers.

A request goes the way OpenClaw's requests to a node go: as an event to that connection alone,
which the supervisor answers by a request of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec

from ipc.calls import Calls
from ipc.errors import IpcError, RemoteError
from ipc.frames.websocket import ErrorShape, error_of
from ipc.frames.words import UNAVAILABLE
from runtime.gateway.access.client_view import ClientView

ASK_SECONDS = 20.0  # a stop may take its whole grace
_SUPERVISOR = "the supervisor"


class SupervisorLink:
    """The link to the supervisor: the newest connection that has proved to be the supervisor."""

    def __init__(self) -> None:
        self.client: ClientView | None = None
        self._calls: Calls[msgspec.Raw] = Calls()

    def open(self, client: ClientView) -> None:
        """Use this connection from now on; calls over the last one fail."""
        self._calls.fail_all()
        self.client = client

    def close(self, client: ClientView) -> None:
        """Drop the session if its connection has ended; other clients are ignored."""
        if client is self.client:
            self.client = None
            self._calls.fail_all()

    def fail_all(self) -> None:
        """Fail every request that waits for an answer, because the gateway ends."""
        self._calls.fail_all()

    async def ask(
        self, method: str, params: Any, seconds: float = ASK_SECONDS, by: str | None = None
    ) -> Any:
        """Return the supervisor's answer as JSON data; raises as ``ask_raw``."""
        return msgspec.json.decode(await self.ask_raw(method, params, seconds, by))

    async def ask_raw(
        self, method: str, params: Any, seconds: float = ASK_SECONDS, by: str | None = None
    ) -> msgspec.Raw:
        """Return the supervisor's answer as its JSON text, so that a large one passes unread.

        ``by`` is the person for whom it is asked. Raises ``RemoteError`` for its refusal or its
        absence, ``CallTimeout``, ``PeerGone``.
        """
        if self.client is None:
            text = f"{method}: the supervisor is not connected"
            raise RemoteError(UNAVAILABLE, text, retryable=True)
        number, future = self._calls.start(_SUPERVISOR, seconds, method)
        request = {"id": number, "method": method, "params": params}
        if by is not None:
            request["by"] = by
        self.client.send_unnumbered("supervisor.request", request)
        return await self._calls.answer(number, future)

    def settle(self, id: int, ok: bool, payload: msgspec.Raw, error: ErrorShape | None) -> None:
        """Settle the call with this id; one that is not waited for any more is ignored."""
        if ok:
            self._calls.resolve(id, payload)
            return
        shape = error or ErrorShape(UNAVAILABLE, "the supervisor failed without saying why")
        self._calls.fail(id, error_of(shape))


async def send_note(
    link: SupervisorLink, text: str, *, by: str, account: str | None = None
) -> None:
    """Add a change in the gateway to the history, of an ``account`` or of none.

    ``by`` describes who made it. If the supervisor cannot be reached, only the log has it.
    """
    about = {} if account is None else {"account": account}
    with contextlib.suppress(IpcError):
        await link.ask("channels.note", {**about, "text": text}, by=by)


async def send_attached(link: SupervisorLink, agents: Sequence[str]) -> None:
    """Send the supervisor the keys of the agents that have an attached program.

    Where that fails, the answer to its next report has them, too.
    """
    with contextlib.suppress(IpcError):
        await link.ask("agents.attached", {"agents": list(agents)})

"""Holds an operator's session, with a device identity, to a gateway that is not ours.

Nothing is reported over it and the gateway sends no requests; it only shows whether the gateway
works. Any frame is a sign of life. After a long silence one verifying call is made, and only if
that fails, too, the gateway counts as hung.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from ipc.errors import CallTimeout, IpcError, RemoteError
from ipc.frames.websocket import Event
from ipc.heartbeat import Pulse, Verdict
from ipc.identity.device import Identity
from ipc.websocket.backoff import CLIENT_POLICY, RetryPolicy
from ipc.websocket.client import Client
from ipc.websocket.connect import OPERATOR
from ipc.websocket.reconnect_loop import Failure
from runtime.supervisor.gateways.interface import SessionEvents
from runtime.supervisor.gateways.session_base import SessionBase

CONNECT_WITHIN = 20.0  # challenge and answer: ClawX's number
RETRY = CLIENT_POLICY.steps  # the last one repeats
# Likewise, in seconds, while it says that it is starting.
STARTING: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
FEWER_SCOPES = ("operator.read",)  # what is asked for without an identity

log = structlog.get_logger("session")


class Access(msgspec.Struct, frozen=True):
    """The credentials for a gateway; ``token`` is resolved anew for each attempt."""

    url: str
    version: str
    token: Callable[[], Awaitable[str | None]]
    identity: Callable[[], Awaitable[Identity | None]]


class OperatorSession(SessionBase):
    """Holds a session until cancelled.

    ``once``: it ends at the first loss or failure instead of retrying, and its owner decides about
    another. ``lost_within`` is how many seconds a gateway may be unreachable, as while it restarts
    itself.
    """

    def __init__(
        self,
        access: Access,
        events: SessionEvents,
        *,
        silence: float,
        lost_within: float,
        once: bool = False,
    ) -> None:
        super().__init__(events, RetryPolicy(RETRY, RETRY[-1], jitter=0.0, starting=STARTING))
        self._access = access
        self._silence = silence
        self._lost_within = lost_within
        self._once = once
        self._token: str | None = None

    def send_changes(self) -> None:
        """Do nothing, because a foreign gateway gets no reports."""

    def _on_lost(self, reason: str) -> bool:
        self._events.lost(reason)
        return not self._once

    def _on_failed(self, failure: Failure) -> bool:
        """Report a failure; return whether retrying can help."""
        error = failure.error
        if not isinstance(error, (IpcError, OSError)):
            raise error
        reason = self._hide(str(error))
        if isinstance(error, RemoteError):
            if not error.retryable:
                self._events.refused(reason)
                return False
        elif self._once:
            self._events.lost(reason)
            return False
        if failure.without > self._lost_within:
            self._events.fault(f"not reached for {self._lost_within:g} s: {reason}")
        log.debug("session not open", error=reason, tries=failure.earlier)
        return True

    async def _connect(self) -> Client:
        self._token = await self._access.token()
        identity = await self._access.identity()
        return await Client.connect(
            self._access.url,
            token=self._token,
            client={"version": self._access.version, "displayName": "trunkline"},
            scopes=OPERATOR if identity is not None else FEWER_SCOPES,
            identity=identity,
            on_event=self._on_event,
            timeout=CONNECT_WITHIN,
        )

    async def _serve(self, client: Client) -> str:
        """Watch an open session until it closes; return why it closed."""
        self._client, self.connected = client, True
        watch = asyncio.create_task(self._watch(client))
        try:
            self._events.up()
            code, text = await asyncio.shield(client.closed)
            return self._hide(f"closed with {code} {text}".rstrip())
        finally:
            self._client, self.connected = None, False
            watch.cancel()
            await asyncio.wait({watch})
            await client.close()

    async def _watch(self, client: Client) -> None:
        """Watch the session for silence, ignoring a suspended host or a changed clock."""
        loop = asyncio.get_running_loop()
        pulse = Pulse(self._silence, now=client.heard)
        while True:
            await asyncio.sleep(max(0.0, pulse.next_due() - loop.time()))
            if client.heard > pulse.heard:
                pulse.on_frame(client.heard)
            if pulse.due(loop.time()) is not Verdict.ASK:
                continue
            asked = loop.time()
            try:
                await client.call("system-presence", timeout=self.VERIFY_WITHIN)
            except RemoteError:
                pass  # a refusal is an answer
            except CallTimeout:
                if client.heard < asked:
                    self._events.fault(f"no answer for {self._silence + self.VERIFY_WITHIN:g} s")
                    return
                # It is slow with this one call, and talks meanwhile: it lives.
            except IpcError:
                return  # it has closed, which ``_serve`` reports
            pulse.on_frame(loop.time())

    def _on_event(self, event: Event) -> None:
        if event.event == "shutdown":
            log.info("the gateway says that it shuts down")

    def _hide(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text

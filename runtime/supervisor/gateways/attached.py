"""Connects to a gateway that already runs and was not started by us.

It has the same lifecycle as a child. Its "process" is the session: losing it is the exit, and the
next start is another attempt to connect. So backoff, status and metrics work as for a child, and
nothing here can end the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ipc.frames.words import EXIT_TEMPORARY
from runtime.supervisor.child import Process, StandInProcess
from runtime.supervisor.gateways.interface import GatewaySession, Listener, SessionEvents
from runtime.supervisor.gateways.operator_session import Access, OperatorSession
from runtime.supervisor.lifecycle import MISCONFIGURED, TRANSIENT, Exit
from runtime.supervisor.policy import Policy

SILENCE = 180.0
READY_WITHIN = 60.0
LET_GO = "let go"  # of its exit, when we stop: the gateway keeps running
# ClawX's steps, 1 s to 30 s, but spread; a session that stays open for 10 s was a good one.
POLICY = Policy(
    initial=1.0, maximum=30.0, healthy_after=10.0, slow_after=None, ready_within=READY_WITHIN
)


class AttachedGateway:
    """Connects to ``access.url``. ``port`` is for display."""

    name = "attached"
    listener: Listener | None = None
    last_error: str | None = None  # its standard error is not ours to read
    warnings: Sequence[str] = ()

    def __init__(
        self, access: Access, port: int, *, silence: float = SILENCE, policy: Policy = POLICY
    ) -> None:
        self.port = port
        self.policy = policy
        self._access = access
        self._silence = silence
        self._process = StandInProcess(LET_GO)

    @property
    def url(self) -> str:
        """The URL of the gateway."""
        return self._access.url

    async def spawn(self, incarnation: int, stopping: asyncio.Event) -> Process:
        """Return the object that stands for its process."""
        return self._process

    def session(self, incarnation: int, events: SessionEvents) -> GatewaySession:
        """Return the session of this attempt; its end also ends the stand-in process."""
        process = self._process = StandInProcess(LET_GO)

        def on_lost(reason: str) -> None:
            events.lost(reason)
            process.end(Exit(code=EXIT_TEMPORARY, said=TRANSIENT, text=reason))

        def on_refused(reason: str) -> None:
            process.end(Exit(said=MISCONFIGURED, text=reason))

        return OperatorSession(
            self._access,
            SessionEvents(events.up, on_lost, events.fault, on_refused),
            silence=self._silence,
            lost_within=self.policy.ready_within,
            once=True,
        )

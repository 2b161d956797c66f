"""Connects to a gateway that already runs and was not started by us.

It has the same lifecycle as a child. Its "process" is the session: losing it is the exit, and the
next start is another attempt to connect. So backoff, status and metrics work as for a child, and
nothing here can end the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ipc.frames.words import EXIT_TEMPORARY
from runtime.supervisor.child import Process
from runtime.supervisor.gateways.interface import GatewaySession, Listener, SessionEvents
from runtime.supervisor.gateways.operator_session import Access, OperatorSession
from runtime.supervisor.lifecycle import MISCONFIGURED, TRANSIENT, Exit
from runtime.supervisor.policy import Policy

SILENCE = 180.0
READY_WITHIN = 60.0
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
        self._process = AttachedProcess()

    @property
    def url(self) -> str:
        """The URL of the gateway."""
        return self._access.url

    async def spawn(self, incarnation: int, stopping: asyncio.Event) -> Process:
        """Return the object that stands for its process."""
        return self._process

    def session(self, incarnation: int, events: SessionEvents) -> GatewaySession:
        """Return the session of this attempt; its end also ends the stand-in process."""
        process = self._process = AttachedProcess()

        def lost(reason: str) -> None:
            events.lost(reason)
            process.end(Exit(code=EXIT_TEMPORARY, said=TRANSIENT, text=reason))

        def refused(reason: str) -> None:
            process.end(Exit(said=MISCONFIGURED, text=reason))

        return OperatorSession(
            self._access,
            SessionEvents(events.up, lost, events.fault, refused),
            silence=self._silence,
            lost_within=self.policy.ready_within,
            once=True,
        )


class AttachedProcess:
    """Stands for the process of an attached gateway; it ends with the session."""

    pid = 0

    def __init__(self) -> None:
        self._ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def end(self, how: Exit) -> None:
        """End the stand-in; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(how)

    def terminate(self) -> None:
        """End the session; the gateway keeps running."""
        self.end(Exit(code=0, text="let go"))

    def kill(self) -> None:
        """End the session; the gateway keeps running."""
        self.terminate()

    async def wait(self) -> Exit:
        """Return why it ended."""
        return await self._ended

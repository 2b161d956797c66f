"""A gateway that runs already, and is not ours: we connect to it, and own nothing.

It goes through the same lifecycle as a child. Its "process" is the session: the loss of it is
the exit, the next start another try to connect. So backoff, status and metrics are those of a
child, and nothing here could end the gateway.
"""

from __future__ import annotations

import asyncio

from ipc.frames.words import EXIT_TEMPORARY
from runtime.supervisor.child import Process
from runtime.supervisor.gateways.interface import Link, News
from runtime.supervisor.gateways.operator_session import Access, OutsideSession
from runtime.supervisor.lifecycle import MISCONFIGURED, TRANSIENT, Exit, Policy

SILENCE = 180.0
READY_WITHIN = 60.0
# ClawX's steps, 1 s to 30 s, but spread; a session that stays open for 10 s was a good one.
POLICY = Policy(
    initial=1.0, maximum=30.0, healthy_after=10.0, slow_after=None, ready_within=READY_WITHIN
)


class AttachedGateway:
    """Connects to ``access.url``. ``port`` is for display."""

    kind = "attached"

    def __init__(
        self, access: Access, port: int, *, silence: float = SILENCE, policy: Policy = POLICY
    ) -> None:
        self.port = port
        self.policy = policy
        self._access = access
        self._silence = silence
        self._attachment = Attachment()
        self._refused: str | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return self._access.url

    @property
    def last_error(self) -> str | None:
        """Nothing: its standard error is not ours to read."""
        return None

    def open(self, *, force: bool = False) -> None:
        """Do nothing: the port is the gateway's."""

    async def seize(self) -> None:
        """Do nothing: whoever holds the port is the gateway."""

    def close(self) -> None:
        """Do nothing."""

    def interrupt(self) -> None:
        """Do nothing: there is nothing to start."""

    def refused(self, reason: str) -> None:
        """Note that it will not have us: a person is needed."""
        self._refused = reason

    async def spawn(self, incarnation: int) -> Process:
        """Return what stands for its process."""
        return self._attachment

    def session(self, incarnation: int, news: News) -> Link:
        """Return the session of this try; its end ends the attachment."""
        attachment = self._attachment = Attachment()
        self._refused = None

        def lost(reason: str) -> None:
            news.lost(reason)
            attachment.end(Exit(code=EXIT_TEMPORARY, said=TRANSIENT, text=reason))

        def refused(reason: str) -> None:
            attachment.end(Exit(said=MISCONFIGURED, text=reason))

        return OutsideSession(
            self._access,
            News(news.up, lost, news.fault, refused),
            silence=self._silence,
            lost_within=self.policy.ready_within,
            once=True,
        )


class Attachment:
    """Stands for the process of a gateway that is not ours: it ends with the session."""

    pid = 0

    def __init__(self) -> None:
        self._ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def end(self, how: Exit) -> None:
        """End it; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(how)

    def terminate(self) -> None:
        """Let go of the gateway, which lives on."""
        self.end(Exit(code=0, text="let go"))

    def kill(self) -> None:
        """Let go of the gateway, which lives on."""
        self.terminate()

    async def wait(self) -> Exit:
        """Return why it ended."""
        return await self._ended

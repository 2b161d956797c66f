"""Runs an agent in its worker: loads its class, carries turns to it, counts its traffic.

Only the process of an agent imports this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ipc.epoch import now_ms
from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.control import LoginAnswer, LoginTaken
from ipc.frames.data import Answer, Call, TurnAck, TurnBegin, TurnCancel
from ipc.frames.websocket import ErrorShape
from ipc.frames.words import INVALID_REQUEST
from workers.agent import AgentManifest, TurnOutcome
from workers.errors import Misconfigured
from workers.links.agent_data import AgentDataLink
from workers.links.control import WorkerControlLink
from workers.media.abilities import Media
from workers.process.explanations import Explain, guarded, unexplained
from workers.process.loading import (
    config_of,
    import_class,
    make_directory,
    manifest_of,
)
from workers.process.logging import Redaction
from workers.process.process_context import ProcessContext
from workers.process.turns import AgentTurns

NO_LOGIN = "an agent asks for no login"
NEEDS_A_PERSON = frozenset({"misconfigured", "needs_login"})
SHOWN_FAILURES = 2  # in a row that may pass: one alone is over before it is read


def agent_class(manifest: AgentManifest) -> Any:
    """Import the agent's class, with its SDK.

    Raises ``Misconfigured`` if its extra is not installed, or if it has no method ``turn``.
    """
    found = import_class(f"agent kind {manifest.id}", manifest.agent, manifest.extra)
    if not callable(getattr(found, "turn", None)):
        raise Misconfigured(f"{manifest.agent} has no method `turn`: write it", final=True)
    return found


class TurnContext(ProcessContext):
    """The ``workers.agent.AgentContext`` of one agent."""

    def __init__(
        self,
        boot: WorkerBoot,
        config: Any,
        log: structlog.typing.FilteringBoundLogger,
        control: WorkerControlLink,
        redact: Redaction,
    ) -> None:
        super().__init__(boot, config, log, control, redact, Media().max_down)
        self.agent_id = boot.key.partition(":")[2]


class HostedAgent:
    """The agent of a worker. ``config`` is the agent's configuration.

    ``messages_in`` and ``messages_out`` count the begun and the ended turns.
    """

    def __init__(
        self,
        boot: WorkerBoot,
        control: WorkerControlLink,
        log: structlog.typing.FilteringBoundLogger,
        redact: Redaction,
        fail: Callable[[BaseException], None],
    ) -> None:
        self.link = AgentDataLink(boot, self._on_call, log)
        self.explain: Explain = unexplained
        self.config: Any = None
        self.context: TurnContext | None = None
        self._boot = boot
        self._control = control
        self._log = log
        self._redact = redact
        self._turns = AgentTurns(self.link, log, redact=redact, on_outcome=self._note_outcome)
        self._counted = (0, 0)  # turns begun and ended at the last report of activity
        self._shows_error = False  # the status has the error of a turn
        self._failed_in_a_row = 0  # turns, for a reason that may pass

    @property
    def messages_in(self) -> int:
        """How many turns were begun."""
        return self._turns.begun

    @property
    def messages_out(self) -> int:
        """How many turns have ended."""
        return self._turns.ended

    async def run(self) -> None:
        """Load the agent, report it ready, and run its turns until cancelled.

        If it has a method ``run``, that runs meanwhile, and its end ends the agent.
        """
        agent = await self._load()
        life = asyncio.ensure_future(self._life_of(agent))
        try:
            await asyncio.sleep(0)  # what fails at once was never ready
            if not life.done():
                self._turns.begin(agent, self.explain)
                self._control.send_ready()
            await life
        finally:
            life.cancel()

    async def fresh_config(self) -> Any:
        """Return the configuration with its secrets read again; raises ``Misconfigured``."""
        return await config_of(self._boot, manifest_of(self._boot, AgentManifest), self._redact)

    def close(self) -> None:
        """Accept no new turns from now on; running ones continue."""
        self._turns.close()

    async def cancel(self, deadline: float | None) -> bool:
        """Cancel running turns, waiting until ``deadline`` at most; return whether all stopped.

        They get no outcome: the gateway notices the end of this process and decides about them.
        """
        return await self._turns.cancel(deadline)

    async def finish(self) -> None:
        """Accept no new turns; there is nothing to wait for: ``cancel`` has decided."""
        self._turns.close()

    async def drain(self) -> None:
        """Wait until running turns have ended and their ends are acknowledged."""
        await self._turns.finish()

    async def wait_settled(self) -> None:
        """Wait until the turns that have ended are acknowledged."""
        await self.link.wait_ends_acknowledged()

    def on_login_answer(self, answer: LoginAnswer) -> LoginTaken:
        """Refuse a login answer, because agents have no login."""
        return LoginTaken(answer.id, NO_LOGIN)

    def forget_credentials(self) -> None:
        """Do nothing, because an agent has no saved credentials."""

    def activity(self) -> dict[str, Any]:
        """Return the changed fields of the status row; called before each beat."""
        before, now = self._counted, now_ms()
        self._counted = (self._turns.begun, self._turns.ended)
        running = self._turns.running
        patch: dict[str, Any] = {"busy": running > 0, "activeRuns": running}
        if self._counted[0] != before[0]:
            patch["lastInboundAt"] = patch["lastEventAt"] = now
        if self._counted[1] != before[1]:
            patch["lastOutboundAt"] = patch["lastEventAt"] = now
        return patch

    async def _load(self) -> Any:
        boot = self._boot
        manifest = manifest_of(boot, AgentManifest)
        config = self.config = await config_of(boot, manifest, self._redact)
        make_directory(Path(boot.storage))
        self.context = TurnContext(boot, config, self._log, self._control, self._redact)
        self._control.patch(manifest.status)
        made = agent_class(manifest)
        if (explain := getattr(made, "explain", None)) is not None:
            self.explain = guarded(explain, self._log)
        return made(self.context)

    @staticmethod
    async def _life_of(agent: Any) -> None:
        run = getattr(agent, "run", None)
        if run is None:
            await asyncio.get_running_loop().create_future()  # until cancelled
        else:
            await run()

    def _note_outcome(self, outcome: TurnOutcome) -> None:
        """Show why turns fail in the status, until one succeeds again.

        That is a failure that needs a person, and the second in a row that may pass: an endpoint
        that is gone. What only the text of a turn has caused is none.
        """
        if outcome.state == "final":
            self._failed_in_a_row = 0
            if self._shows_error:
                self._shows_error = False
                self._control.patch({"lastError": None})
            return
        if passing := outcome.kind == "transient":
            self._failed_in_a_row += 1
        lasting = passing and self._failed_in_a_row >= SHOWN_FAILURES
        if lasting or outcome.kind in NEEDS_A_PERSON:
            self._shows_error = True
            self._control.patch({"lastError": outcome.error})

    def _on_call(self, frame: Any, gateway: str) -> None:
        if isinstance(frame, TurnBegin | TurnAck | TurnCancel):
            self._turns.on_frame(frame)
        elif isinstance(frame, Call):
            text = f"{self._boot.key} takes turns, and no calls"
            shape = ErrorShape(INVALID_REQUEST, text)
            self.link.send_answer(Answer(frame.id, False, msgspec.json.encode(shape)), gateway)
        else:
            self.link.dropped["calls of no agent"] += 1

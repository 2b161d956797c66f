"""Carries out one turn as a run of the other gateway, across losses of the session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from ipc.errors import IpcError, PeerGone, RemoteError
from workers.agent import AgentContext, Final, Turn
from workers.agents.openclaw.config import OpenClawConfig
from workers.agents.openclaw.connection import OtherGateway, OtherSession
from workers.agents.openclaw.failures import failure_of_call, failure_of_run
from workers.agents.openclaw.images import ImageBounds, split_images
from workers.agents.openclaw.reading import RunReader, final_of, final_of_text
from workers.agents.openclaw.remains import Remains, remains_of
from workers.agents.openclaw.requests import agent_params, begins_anew, key_there
from workers.errors import Transient
from workers.messages import Attachment

ASK_SECONDS = 90.0  # a busy OpenClaw has taken 10 s to accept a run
WAIT_MS = 25_000  # of one ``agent.wait``
PAUSE = 0.5  # seconds between questions for what will be there soon
RECOVERY_SECONDS = 30.0  # within which a gateway that has restarted goes on with its runs itself
HISTORY_ROWS = 50

Json = Mapping[str, Any]
Files = tuple[list[dict[str, Any]], list[Attachment]]


class RemoteRun:
    """The run of one turn at the other gateway. ``begun``: that gateway may have it."""

    def __init__(
        self, ctx: AgentContext, gateway: OtherGateway, turn: Turn, reader: RunReader
    ) -> None:
        self.begun = False
        self._ctx = ctx
        self._config: OpenClawConfig = ctx.config
        self._gateway = gateway
        self._turn = turn
        self._reader = reader
        self._files: Files | None = None
        self._process = ""  # of the gateway that was given the run
        self._key = key_there(turn.session, self._config.agent_id)

    async def final(self) -> Final:
        """Return the final event of the turn; raises a ``ChannelError`` if the run failed."""
        number = 0
        while True:
            session = await self._gateway.session(number)
            try:
                return await self._run_in(session)
            except PeerGone:  # the session has ended: the next one goes on
                number = session.number
            except IpcError as error:
                more = bool(self._turn.model or self._turn.thinking)
                raise failure_of_call(error, asked_more=more) from None

    async def _run_in(self, session: OtherSession) -> Final:
        """Begin the run in a session, or continue it where the last session ended."""
        if self.begun and session.process != self._process:
            found = await self._recover(session)
            if isinstance(found, Final):
                return found
            self.begun = found
        if not self.begun and begins_anew(self._config, self._turn):
            await self._gateway.reset(self._key)
        answer = await self._ask(session)
        while answer.get("status") in ("accepted", "in_flight"):
            await self._wait_until_ended(session)
            answer = await self._ask(session)
            if answer.get("status") == "in_flight":
                await asyncio.sleep(PAUSE)  # it has ended, and its answer is not there yet
        return final_of(answer, self._reader)

    async def _ask(self, session: OtherSession) -> Json:
        """Begin the run, or ask for it by its name if it has begun."""
        sent, named = await self._with_files(session)
        params = agent_params(self._config, self._turn, sent, named, time.time())
        before = self._process
        self.begun, self._process = True, session.process
        try:
            return await self._call(session, "agent", params)
        except PeerGone as gone:
            if not gone.maybe_executed:
                self.begun, self._process = bool(before), before
            raise
        except RemoteError as error:
            if self._reader.error is not None:  # it is the run's, with its kind
                raise failure_of_run(*self._reader.error) from None
            raise error

    async def _with_files(self, session: OtherSession) -> Files:
        """Return the images to send and the files to name, the same at each call."""
        if self._files is None:
            sent: list[dict[str, Any]] = []
            named = self._turn.attachments
            if self._config.images and named:
                bounds = ImageBounds(session.policy)
                sent, named = await split_images(self._ctx, named, bounds)
            self._files = sent, named
        return self._files

    async def _wait_until_ended(self, session: OtherSession) -> None:
        """Wait until the run has ended at the other gateway."""
        params = {"runId": self._turn.run, "timeoutMs": WAIT_MS}
        while True:
            found = await self._call(session, "agent.wait", params)
            if "endedAt" in found or found.get("status") in ("ok", "error"):
                return
            if found.get("known") is False:
                return
            if self._reader.ended:
                await asyncio.sleep(PAUSE)
                return

    async def _recover(self, session: OtherSession) -> Final | bool:
        """Ask a restarted gateway for the run: return its final event, or whether it has the run.

        Trunkline keeps its runs. OpenClaw continues what was running by itself, under another name;
        the answer is then the last one of the conversation.
        """
        run = {"runId": self._turn.run, "timeoutMs": 0}
        known = (await self._call(session, "agent.wait", run)).get("known")
        if isinstance(known, bool):
            return known
        until = time.monotonic() + RECOVERY_SECONDS
        while True:
            params = {"sessionKey": self._key, "limit": HISTORY_ROWS}
            history = await self._call(session, "chat.history", params)
            remains, text = remains_of(history, self._turn.run)
            if remains is Remains.ANSWER:
                return final_of_text(text, self._reader)
            if remains is Remains.NOTHING:
                return False
            if remains is Remains.BROKEN and time.monotonic() > until:
                if self._reader.seen:
                    raise Transient("the other gateway restarted and has lost the run")
                return False
            await asyncio.sleep(2 * PAUSE)

    async def _call(self, session: OtherSession, method: str, params: Json) -> Json:
        answer = await session.client.call(method, params, timeout=ASK_SECONDS)
        return answer if isinstance(answer, Mapping) else {}

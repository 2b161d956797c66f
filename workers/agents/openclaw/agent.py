"""Answers turns with an agent of another gateway: OpenClaw's, or another Trunkline's.

A turn is a run of the same name at the other gateway. Whatever happens to the session, or to the
process at either end, the run is asked for again by that name, so it begins once. A gateway that
restarted has lost it: then the conversation there is read before the run is begun anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ipc.errors import IpcError
from workers.agent import AgentContext, Final, Turn, TurnEvent
from workers.agents.answers import AnswerBound
from workers.agents.openclaw.config import OpenClawConfig
from workers.agents.openclaw.connection import OtherGateway
from workers.agents.openclaw.reading import RunReader
from workers.agents.openclaw.requests import key_there
from workers.agents.openclaw.run import RemoteRun
from workers.errors import ChannelError

ABORT_SECONDS = 5.0

Item = TurnEvent | Final | None  # ``None``: the run is over


class FollowedTurn:
    """A turn whose run is followed, with the events that are read and not yet yielded."""

    def __init__(self, bound: AnswerBound) -> None:
        self.reader = RunReader(bound)
        self.items: asyncio.Queue[Item] = asyncio.Queue()
        self.broken: Exception | None = None

    def on_event(self, event: str, payload: Mapping[str, Any]) -> None:
        """Read an event of the run."""
        try:
            for item in self.reader.read(event, payload):
                self.items.put_nowait(item)
        except Exception as error:  # noqa: BLE001 - it is this turn's end, and no other's
            self.broken = error
            self.items.put_nowait(None)


class OpenClawAgent:
    """One agent of another gateway. All turns share one session to it."""

    def __init__(self, ctx: AgentContext) -> None:
        self.ctx = ctx
        self.config: OpenClawConfig = ctx.config
        self._turns: dict[str, FollowedTurn] = {}
        self._gateway = OtherGateway(ctx, self._on_event)
        self._aborting: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep a session open until cancelled, then close it."""
        await self._gateway.run()

    async def turn(self, turn: Turn) -> AsyncIterator[TurnEvent | Final]:
        """Yield the text and the tool calls of the run as they come, and the final event."""
        followed = FollowedTurn(AnswerBound(self.config.max_answer_bytes))
        self._turns[turn.run] = followed
        run = RemoteRun(self.ctx, self._gateway, turn, followed.reader)
        work = asyncio.create_task(run.final())
        work.add_done_callback(lambda _: followed.items.put_nowait(None))
        try:
            while (item := await followed.items.get()) is not None:
                yield item
            if followed.broken is not None:
                raise followed.broken
            final = await work
            if self._gateway.closing:  # the session was closed here: it is the next process's
                await asyncio.Event().wait()
            yield final
        except Exception:
            if self._gateway.closing:
                await asyncio.Event().wait()  # until cancelled: it is no end of the run
            raise
        finally:
            del self._turns[turn.run]
            unfinished = not work.done()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await work
            if (unfinished or followed.broken) and run.begun and not self._gateway.closing:
                self._abort_soon(turn)

    def _on_event(self, event: str, payload: Mapping[str, Any]) -> None:
        run = payload.get("runId")
        followed = self._turns.get(run) if isinstance(run, str) else None
        if followed is not None and followed.broken is None:
            followed.on_event(event, payload)

    def _abort_soon(self, turn: Turn) -> None:
        """Ask the other gateway to end the run, in a task that the caller does not await."""
        task = asyncio.create_task(self._abort(turn))
        self._aborting.add(task)
        task.add_done_callback(self._aborting.discard)

    async def _abort(self, turn: Turn) -> None:
        params = {
            "sessionKey": key_there(turn.session, self.config.agent_id),
            "runId": turn.run,
        }
        try:
            session = await self._gateway.session()
            await session.client.call("chat.abort", params, timeout=ABORT_SECONDS)
        except (IpcError, ChannelError) as error:  # it ends by itself, too
            self.ctx.log.info("a remote run was not ended", run=turn.run, error=str(error))

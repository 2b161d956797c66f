"""An agent that answers only when a given number of turns is open, then all of them.

Each answer names how many turns were open at most. A session that has two at once is told so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from workers.agent import AgentContext, AgentManifest, Final, Turn

KIND, MANIFEST = "gathering", "tests.support.gathering_agent:manifest"
TWO_AT_ONCE = "two turns of one session at once"


class GatheringConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``crowd`` is how many turns must be open before the first one is answered."""

    crowd: int


class GatheringAgent:
    """Made by the worker."""

    def __init__(self, ctx: AgentContext) -> None:
        self._crowd: int = ctx.config.crowd
        self._open: set[str] = set()
        self._most = 0
        self._gathered = asyncio.Event()

    async def turn(self, turn: Turn) -> AsyncIterator[Final]:
        if turn.session in self._open:
            yield Final(TWO_AT_ONCE)
            return
        self._open.add(turn.session)
        self._most = max(self._most, len(self._open))
        if len(self._open) >= self._crowd:
            self._gathered.set()
        try:
            await self._gathered.wait()
        finally:
            self._open.discard(turn.session)
        yield Final(f"{turn.text} {self._most}")


manifest = AgentManifest(
    KIND, "Gathering", GatheringConfig, agent="tests.support.gathering_agent:GatheringAgent"
)

"""An agent that does what the text of a turn says, for tests of its process and the gateway."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import msgspec

from workers.agent import (
    AgentContext,
    AgentManifest,
    Delta,
    Final,
    Misconfigured,
    NeedsLogin,
    Notice,
    RateLimited,
    ToolCall,
    ToolResult,
    Transient,
    Turn,
    TurnRefused,
    Usage,
)
from workers.errors import ChannelError

AGENT = "tests.support.controllable_agent:manifest"
ERRORS: dict[str, BaseException] = {
    "transient": Transient("later"),
    "rate": RateLimited("429", retry_after=2.5),
    "refused": TurnRefused("against the rules"),
    "misconfigured": Misconfigured("no such model"),
    "login": NeedsLogin("wrong key"),
    "network": ConnectionResetError("gone"),
    "bug": ValueError("a bug"),
    "exit": SystemExit(3),
    "cancel": asyncio.CancelledError(),
    "odd": LookupError("odd"),
}


class ControllableAgentConfig(msgspec.Struct, frozen=True, rename="camel"):
    """``run`` is what the agent's own ``run`` does: wait, return, or fail."""

    run: str = "wait"
    token: str = ""


class ControllableAgent:
    """Made by the worker; ``latest`` is the last one that was made in this process."""

    latest: ClassVar[ControllableAgent]

    def __init__(self, ctx: AgentContext) -> None:
        type(self).latest = self
        self.ctx = ctx
        self.texts: list[str] = []  # of all turns, in order
        self.runs: list[str] = []
        self.yielded = 0
        self.cancelled: list[str] = []
        self.go = asyncio.Event()

    async def run(self) -> None:
        if self.ctx.config.run == "fail":
            raise Misconfigured("no server", final=True)
        if self.ctx.config.run == "wait":
            await asyncio.get_running_loop().create_future()

    @staticmethod
    def explain(error: BaseException) -> ChannelError | None:
        return RateLimited("explained", retry_after=9) if isinstance(error, LookupError) else None

    async def turn(self, turn: Turn) -> AsyncIterator[Any]:
        self.texts.append(turn.text)
        self.runs.append(turn.run)
        verb, _, rest = turn.text.partition(" ")
        try:
            async for each in self._do(verb, rest, turn):
                self.yielded += 1
                yield each
        except asyncio.CancelledError:
            self.cancelled.append(turn.run)
            assert turn.cancelled or verb == "raise"
            raise

    async def _do(self, verb: str, rest: str, turn: Turn) -> AsyncIterator[Any]:
        if verb == "count":
            for number in range(int(rest)):
                yield Delta(f"{number} ")
        elif verb == "flood":
            while True:
                yield Delta("" if rest == "nothing" else "x" * 100)
        elif verb == "notices":
            while True:
                yield Notice("x" * int(rest or 96))
        elif verb == "long":
            yield Delta("é" * int(rest))
        elif verb == "whole":
            yield Delta("draft")
            yield ToolCall("1", "add", {"a": 1})
            yield ToolResult("1", "2")
            yield Notice("thinks")
            yield Final("the answer", Usage(3, 5), "stop", "m-1")
            yield Delta("after the end")
        elif verb == "raise":
            if rest.startswith("late "):
                yield Delta("first ")
            raise ERRORS[rest.removeprefix("late ")]
        elif verb == "hang":
            if rest:
                yield Delta(rest)
            await self.go.wait()
            yield Delta("went on")
        elif verb == "deaf":
            while not self.go.is_set():
                try:
                    await self.go.wait()
                except asyncio.CancelledError:
                    yield Delta("not me")
        elif verb == "die":
            if rest:
                yield Delta(rest)
                await asyncio.sleep(0.05)  # until it is on its way
            os.abort()
        elif verb == "odd":
            yield {"text": rest}
        elif verb == "final":
            yield Final(rest, usage="lots")  # type: ignore[arg-type]
        elif verb == "run":
            yield Final(turn.run)


manifest = AgentManifest(
    "controllable",
    "Controllable",
    ControllableAgentConfig,
    agent="tests.support.controllable_agent:ControllableAgent",
    secrets=frozenset({"token"}),
    status={"mode": "test"},
)

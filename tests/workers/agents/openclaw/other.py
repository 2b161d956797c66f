"""A gateway in the test that has an agent, as OpenClaw answers; it may lose its process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.scripted import ScriptedServer, Side, scripted

TOKEN = "other-token"
Json = dict[str, Any]
Play = Callable[["Run"], Awaitable[None]]
MISMATCH = {
    "code": "INVALID_REQUEST",
    "message": "unauthorized: gateway token mismatch",
    "details": {"code": "AUTH_TOKEN_MISMATCH"},
}


@dataclass
class Run:
    """One run of the agent; ``play`` of the test calls its methods."""

    other: Other
    params: Json
    answer: Json | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    shown: str = ""
    task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        return str(self.params["idempotencyKey"])

    async def event(self, name: str, **payload: Any) -> None:
        about = {"runId": self.id, "sessionKey": self.params["sessionKey"], "seq": 1}
        await self.other.tell(name, about | payload)

    async def say(self, *words: str) -> None:
        for word in words:
            self.shown += word
            message = {"role": "assistant", "content": [{"type": "text", "text": self.shown}]}
            await self.event("chat", state="delta", deltaText=word, message=message)

    async def end(self, answer: Json | None = None, **event: Any) -> None:
        """End it with an answer of ``agent``, by default what was said, after its event."""
        payloads = [{"text": self.shown, "mediaUrl": None}]
        agent = {"model": "fake-1", "usage": {"input": 100, "output": 3, "total": 103}}
        done = {"result": {"payloads": payloads, "meta": {"agentMeta": agent}}}
        await self.event("chat", **({"state": "final", "stopReason": "stop"} | event))
        self.answer = {"runId": self.id, "status": "ok", "summary": "completed", **done}
        self.answer |= answer or {}
        self.over.set()


class Other:
    """The gateway. ``asked`` holds the requests that it has got, without those of waiting."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.token = TOKEN
        self.process = 1
        self.asked: list[tuple[str, Json]] = []
        self.runs: dict[str, Run] = {}
        self.began = 0
        self.history: Json = {"messages": []}
        self.away = False
        self.hello: Json = {}
        self.connects: list[Json] = []
        self._sides: set[Side] = set()
        self.server: ScriptedServer | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url

    async def tell(self, name: str, payload: Json) -> None:
        for side in list(self._sides):
            with contextlib.suppress(Exception):
                await side.say(type="event", event=name, payload=payload)

    def cut(self) -> None:
        """End all connections at once."""
        for side in list(self._sides):
            side.abort()

    def restart(self) -> None:
        """Lose the process: nothing of any run is known after it."""
        for run in self.runs.values():
            if run.task is not None:
                run.task.cancel()
        self.runs, self.process = {}, self.process + 1
        self.cut()

    async def serve(self, side: Side) -> None:
        if self.away:
            side.abort()
            return
        hello = {"type": "hello-ok", "protocol": 4, **self.hello}
        hello["server"] = {"version": "1", "bootId": f"process {self.process}"}
        if self.token != TOKEN:
            await side.refuse(MISMATCH, 1008, "unauthorized")
            return
        self.connects.append(await side.welcome(hello))
        self._sides.add(side)
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                request = await side.request()
                task = asyncio.create_task(self._answer(side, request))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            self._sides.discard(side)
            for task in tasks:
                task.cancel()

    async def _answer(self, side: Side, request: Json) -> None:
        method, params = request["method"], request["params"]
        if method != "agent.wait":
            self.asked.append((method, params))
        answer: Json = {"ok": True}
        match method:
            case "agent":
                answer = self._agent(params)
            case "agent.wait":
                run, answer = self.runs.get(params["runId"]), {"status": "timeout"}
                if run is not None:
                    await run.over.wait()
                    answer = {"status": "ok", "endedAt": 1}
            case "chat.history":
                answer = self.history
        failed = answer.pop("error", None) if method == "agent" else None
        more = {"ok": False, "error": failed} if failed else {"ok": True}
        with contextlib.suppress(Exception):
            await side.say(type="res", id=request["id"], payload=answer, **more)

    def _agent(self, params: Json) -> Json:
        run = self.runs.get(params["idempotencyKey"])
        if run is None:
            self.began += 1
            run = self.runs[params["idempotencyKey"]] = Run(self, params)
            run.task = asyncio.create_task(self._played(run))
            return {"runId": run.id, "status": "accepted", "acceptedAt": 1}
        return dict(run.answer or {"runId": run.id, "status": "in_flight"})

    async def _played(self, run: Run) -> None:
        await self.play(run)


@asynccontextmanager
async def other_gateway(play: Play) -> AsyncIterator[Other]:
    made = Other(play)
    async with scripted(made.serve) as server:
        made.server = server
        try:
            yield made
        finally:
            made.restart()

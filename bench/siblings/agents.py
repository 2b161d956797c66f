"""Asks agents while another one is faulty, and triggers its faults."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from ipc.errors import IpcError
from tests.support import bad_agent
from tests.support.daemon import Daemon
from tests.support.until import PATIENCE

AGENT = "agent"  # stands where channels do
WAIT_MS = 30_000  # for an answer
AGAIN = 0.05  # seconds until a bad agent is asked again


def entries(talkers: tuple[str, ...], others: tuple[str, ...], bad: dict[str, Any]) -> Any:
    """Return the agents of the configuration; ``bad`` are the fields of faulty ones."""
    good: dict[str, Any] = {name: {"kind": "echo"} for name in talkers}
    fault = {"kind": bad_agent.KIND, "fault": "asked", "timeoutSeconds": WAIT_MS / 1000}
    return good | dict.fromkeys(others, fault | bad)


class AgentWitness:
    """A client that asks some agents ``rate`` times a second, and times each answer."""

    def __init__(self, daemon: Daemon, agents: list[str], rate: float) -> None:
        self._daemon = daemon
        self._agents = agents
        self._rate = rate
        self._late: list[float] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._came = asyncio.Event()
        self.missing = 0  # answers

    async def __aenter__(self) -> AgentWitness:
        self._tasks = [asyncio.create_task(self._ask(each)) for each in self._agents]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def window(self) -> list[float]:
        """Return the seconds of each answer since the last call, and reset them."""
        late, self._late = self._late, []
        return late

    async def heard(self) -> None:
        """Wait until an answer comes."""
        self._came.clear()
        async with asyncio.timeout(PATIENCE):
            await self._came.wait()

    async def _ask(self, agent: str) -> None:
        chance = random.Random(agent)  # so that they are not asked at the same time
        async with await self._daemon.client(caps=()) as client:
            for number in itertools.count():
                await asyncio.sleep(chance.uniform(0.5, 1.5) / self._rate)
                began = time.monotonic()
                if await _answered(client, agent, f"hello {number}") == "ok":
                    self._late.append(time.monotonic() - began)
                    self._came.set()
                else:
                    self.missing += 1


async def _answered(client: Any, agent: str, text: str) -> str:
    """Ask an agent; return how its run has ended."""
    key = f"{agent}-{time.monotonic_ns()}"
    ask = {"message": text, "agentId": agent, "idempotencyKey": key}
    run = (await client.call("agent", ask))["runId"]
    wait = {"runId": run, "timeoutMs": WAIT_MS}
    found = await client.call("agent.wait", wait, timeout=WAIT_MS / 1000 + 5)
    return str(found["status"])


@asynccontextmanager
async def going_wrong(daemon: Daemon, agent: str, fault: str) -> AsyncIterator[None]:
    """Trigger a fault of an agent, as named by ``bad_agent``, repeatedly."""

    async def ask() -> None:
        while True:
            with suppress(IpcError, TimeoutError):
                async with await daemon.client(caps=()) as client:
                    while True:
                        await _answered(client, agent, fault)
                        await asyncio.sleep(AGAIN)
            await asyncio.sleep(AGAIN)

    task = asyncio.create_task(ask())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])

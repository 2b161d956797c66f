"""Scheduled jobs of a gateway whose clock the test sets."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec.structs import replace

from ipc.epoch import now_ms
from runtime.gateway.cron.job_types import NewJob, ScheduledJob
from runtime.gateway.cron.jobs import create
from runtime.gateway.cron.timers import Timers
from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.rig_agent import HeldAgent, held_agent

HOUR = 3_600_000
TURN: dict[str, Any] = {"kind": "agentTurn", "message": "report"}


class TimerRig:
    """The timers of a gateway, and the agent that they ask. ``now`` is their clock."""

    def __init__(self, rig: GatewayRig, agent: HeldAgent) -> None:
        self.rig = rig
        self.agent = agent
        self.now = now_ms() - 24 * HOUR  # runs of the future would wait
        self.made: list[Timers] = []
        self.events: list[dict[str, Any]] = []

    async def timers(self) -> Timers:
        """Return timers that have read the journal; a second call is the next gateway."""
        for each in self.made:
            each.close()
        links = replace(self.rig.parts.timers.links, now=lambda: self.now)
        made = Timers(links)
        self.made.append(made)
        self.rig.parts.intake.open()
        await self.rig.parts.intake.wait_until_open(10)
        await made.ready()
        return made

    async def add(self, timers: Timers, **fields: Any) -> ScheduledJob:
        """Add a job to ``timers``."""
        given = {
            "name": "job",
            "schedule": {"kind": "every", "everyMs": HOUR},
            "sessionTarget": "isolated",
            "wakeMode": "now",
            "payload": TURN,
            "delivery": {"mode": "none"},
        } | fields
        new = msgspec.convert({k: v for k, v in given.items() if v is not None}, NewJob)
        made = create(f"job-{len(timers.scheduler.jobs)}", new, now=self.now, agents={"echo"})
        await timers.scheduler.save(made, "added")
        return made


@contextlib.asynccontextmanager
async def timer_rig(**more: Any) -> AsyncIterator[TimerRig]:
    """Run a gateway with the echo agent, which waits for the test."""
    async with gateway_rig(agents="echo", **more) as rig:
        made = TimerRig(rig, await held_agent(rig))
        try:
            yield made
        finally:
            for each in made.made:
                each.close()

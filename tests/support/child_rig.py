"""One supervised child on virtual time, with fake processes that end as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from ipc.frames.words import ALIVE, Phase
from runtime.supervisor.child import Child
from runtime.supervisor.lifecycle import Event, Exit, Ready, Restart, Start, State, Stop
from runtime.supervisor.policy import Policy
from tests.support.accounts import Puppet

EVEN = Policy(jitter=0.0)  # the account's policy without chance
CRASH = Exit(code=1)
TURNS = 12  # of the loop: what was posted is worked off, what follows from it too


async def settle() -> None:
    """Run the event loop until all posted events are handled. No time passes."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def pass_time(seconds: float) -> None:
    """Let so much time pass."""
    await asyncio.sleep(seconds)
    await settle()


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


class ChildRig:
    """A child and the processes that were spawned for it.

    ``spawn_seconds`` is how long a spawn takes; ``error`` is raised instead of spawning;
    ``deaf`` are processes that ignore SIGTERM; ``lingers`` is how long they take to end.
    """

    def __init__(self, policy: Policy = EVEN) -> None:
        self.spawned: list[float] = []
        self.puppets: list[Puppet] = []
        self.states: list[State] = []
        self.events: list[Event] = []
        self.spawn_seconds = 0.0
        self.error: Exception | None = None
        self.deaf = False
        self.child = Child(
            "irc:libera", policy, self._spawn, state=State(incarnation=100), on_change=self._changed
        )

    async def _spawn(self, incarnation: int) -> Puppet:
        self.spawned.append(now())
        await asyncio.sleep(self.spawn_seconds)
        if self.error is not None:
            raise self.error
        self.puppets.append(Puppet("irc:libera", incarnation, 999_999_999, deaf=self.deaf))
        return self.puppets[-1]

    def _changed(self, name: str, state: State, event: Event) -> None:
        self.states.append(state)
        self.events.append(event)
        assert len(self.alive) <= 1

    @property
    def state(self) -> State:
        return self.child.state

    @property
    def phase(self) -> Phase:
        return self.child.state.phase

    @property
    def last(self) -> Puppet:
        return self.puppets[-1]

    @property
    def alive(self) -> list[Puppet]:
        return [puppet for puppet in self.puppets if puppet.alive]

    @property
    def phases(self) -> list[str]:
        """Return the phases it went through, repetitions folded."""
        found: list[str] = []
        for state in self.states:
            if found[-1:] != [state.phase.value]:
                found.append(state.phase.value)
        return found

    @property
    def waits(self) -> list[float]:
        """Return the seconds between the spawns."""
        return [round(b - a, 3) for a, b in zip(self.spawned, self.spawned[1:], strict=False)]

    async def post(self, *events: Event) -> None:
        for event in events:
            self.child.post(event)
        await settle()

    async def start(self, *, automatic: bool = False) -> None:
        """Start it, and report that it is ready."""
        await self.post(Start(automatic))
        await pass_time(self.spawn_seconds)
        await self.ready()

    async def ready(self) -> None:
        await self.post(Ready(self.state.incarnation))

    async def restart(self) -> None:
        await self.post(Restart())

    async def stop(self) -> None:
        await self.post(Stop("held"))

    async def crash(self, how: Exit = CRASH) -> None:
        self.last.die(how)
        await settle()

    async def crashes(self, count: int) -> None:
        """Let it crash so many times in a row, each time right after its start."""
        for _ in range(count):
            while self.phase is not Phase.STARTING:
                assert self.child.deadline is not None
                await pass_time(self.child.deadline - now())
            await self.crash()


@asynccontextmanager
async def child_rig(policy: Policy = EVEN, **fields: Any) -> AsyncIterator[ChildRig]:
    """Run a child; all its processes must have ended at the end."""
    made = ChildRig(replace(policy, **fields))
    task = asyncio.create_task(made.child.run())
    try:
        yield made
        assert len(made.alive) == (made.phase in ALIVE and made.child.process is not None)
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert not made.alive

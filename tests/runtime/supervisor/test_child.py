from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import structlog

from ipc.frames.words import Phase
from runtime.supervisor.child import Child, StandInProcess, supervise
from runtime.supervisor.lifecycle import (
    Event,
    Exit,
    Exited,
    Ready,
    Reset,
    Start,
    State,
    Stop,
    Unhealthy,
)
from runtime.supervisor.policy import Policy
from tests.support.accounts import Puppet
from tests.support.until import until

pytestmark = pytest.mark.virtual_time
CRASH = Exit(code=1)


class FakeProcess:
    """Dies when told to, unless it is deaf; a kill it always hears."""

    pid = 4711

    def __init__(self, *, deaf: bool = False) -> None:
        self.signals: list[str] = []
        self._deaf = deaf
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def terminate(self) -> None:
        self.signals.append("terminate")
        if not self._deaf:
            self.die(Exit(code=0))

    def kill(self) -> None:
        self.signals.append("kill")
        self.die(Exit(signal=9))

    def die(self, how: Exit) -> None:
        if not self._exit.done():
            self._exit.set_result(how)

    async def wait(self) -> Exit:
        return await asyncio.shield(self._exit)


class Nursery:
    """Spawns fakes, remembers them and when they were born."""

    def __init__(self) -> None:
        self.born: list[FakeProcess] = []
        self.times: list[float] = []
        self.make: Callable[[], FakeProcess] = FakeProcess
        self.delay = 0.0
        self.error: Exception | None = None

    async def spawn(self, incarnation: int) -> FakeProcess:
        self.times.append(now())
        await asyncio.sleep(self.delay)
        if self.error:
            raise self.error
        self.born.append(self.make())
        return self.born[-1]

    @property
    def last(self) -> FakeProcess:
        return self.born[-1]


def now() -> float:
    return asyncio.get_running_loop().time()


class Witness:
    """Remembers what a child tells, and waits for a phase."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.events: list[Event] = []
        self._changed = asyncio.Event()

    def __call__(self, name: str, state: State, event: Event) -> None:
        assert name == "irc:libera"
        self.states.append(state)
        self.events.append(event)
        self._changed.set()

    @property
    def phases(self) -> list[str]:
        return [state.phase.value for state in self.states]

    async def until(self, phase: Phase) -> None:
        while not self.states or self.states[-1].phase is not phase:
            self._changed.clear()
            await self._changed.wait()


@asynccontextmanager
async def living(
    spawn: Callable[[int], Awaitable[FakeProcess]], *, stop_within: float = 5.0
) -> AsyncIterator[tuple[Child, Witness]]:
    witness = Witness()
    child = Child(
        "irc:libera",
        Policy(jitter=0.0, stop_within=stop_within),
        spawn,
        state=State(incarnation=100),
        on_change=witness,
    )
    task = asyncio.create_task(child.run())
    try:
        yield child, witness
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert child.process is None


async def test_one_that_is_ready_before_its_process_is_known_is_told_again() -> None:
    nursery = Nursery()
    nursery.delay = 1.0
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        child.post(Ready(101))
        await seen.until(Phase.RUNNING)
        assert child.process is None
        told = len(seen.states)
        await asyncio.sleep(2.0)
        assert child.process is nursery.last
        assert seen.states[told:] == [seen.states[-1]]
        nursery.last.die(CRASH)
        await seen.until(Phase.BACKOFF)


async def test_it_starts_becomes_ready_and_stops() -> None:
    nursery = Nursery()
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        child.post(Ready(101))
        await seen.until(Phase.RUNNING)
        assert child.process is nursery.last
        child.post(Stop("held", "lunch"))
        await seen.until(Phase.STOPPED)
        assert seen.phases == ["starting", "running", "stopping", "stopped"]
        assert (child.state.cause, child.state.reason) == ("held", "lunch")
        assert child.last_exit == Exit(code=0)
        assert child.process is None
        assert child.deadline is None


async def test_twelve_crashes_follow_the_ladder_to_the_second() -> None:
    nursery = Nursery()
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        for _ in range(12):
            await seen.until(Phase.STARTING)
            await asyncio.sleep(0)
            nursery.last.die(CRASH)
            await seen.until(Phase.BACKOFF)
        await seen.until(Phase.STARTING)
        waits = [round(b - a, 3) for a, b in zip(nursery.times, nursery.times[1:], strict=False)]
        assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300, 900, 900, 900]


async def test_backoff_tells_when_the_next_try_is() -> None:
    nursery = Nursery()
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        await asyncio.sleep(0)
        nursery.last.die(CRASH)
        await seen.until(Phase.BACKOFF)
        assert child.deadline == pytest.approx(now() + 5)


async def test_a_manual_stop_in_backoff_cancels_the_next_try() -> None:
    nursery = Nursery()
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        await asyncio.sleep(0)
        nursery.last.die(CRASH)
        await seen.until(Phase.BACKOFF)
        child.post(Stop())
        await seen.until(Phase.STOPPED)
        await asyncio.sleep(10_000)
        assert len(nursery.times) == 1


async def test_a_reset_in_backoff_keeps_the_next_try() -> None:
    nursery = Nursery()
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        await asyncio.sleep(0)
        nursery.last.die(CRASH)
        await seen.until(Phase.BACKOFF)
        due = child.deadline
        child.post(Reset())
        await seen.until(Phase.STARTING)
        assert (nursery.times[-1], child.state.failures) == (due, 0)


async def test_one_that_ignores_a_stop_is_killed_when_its_grace_is_over() -> None:
    nursery = Nursery()
    nursery.make = lambda: FakeProcess(deaf=True)
    async with living(nursery.spawn, stop_within=3) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        child.post(Ready(101))
        await seen.until(Phase.RUNNING)
        asked = now()
        child.post(Stop())
        await seen.until(Phase.STOPPED)
        assert nursery.last.signals == ["terminate", "kill"]
        assert now() - asked == pytest.approx(3)


async def test_a_stop_while_it_is_being_spawned_ends_what_appears() -> None:
    """Scenario 27: nothing that a start made may outlive the stop."""
    nursery = Nursery()
    nursery.delay = 2.0
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        child.post(Stop())
        await seen.until(Phase.STOPPED)
        assert nursery.last.signals == ["terminate"]


async def test_one_whose_spawn_outlasts_the_grace_is_killed_as_it_appears() -> None:
    nursery = Nursery()
    nursery.delay = 60.0
    nursery.make = lambda: FakeProcess(deaf=True)
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        child.post(Stop())
        await seen.until(Phase.STOPPED)
        assert nursery.last.signals == ["kill"]
        assert now() == pytest.approx(60)


async def test_a_signal_to_one_incarnation_does_not_reach_the_next() -> None:
    nursery = Nursery()
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        child.post(Stop())
        child.post(Start())
        await seen.until(Phase.STOPPING)
        await seen.until(Phase.STARTING)
        child.post(Ready(102))
        await seen.until(Phase.RUNNING)
        assert nursery.last.signals == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(11, "Resource temporarily unavailable"), "Resource temporarily unavailable"),
        (KeyError("nick"), "nick"),
        (RuntimeError(), "RuntimeError"),
    ],
)
async def test_a_spawn_that_fails_is_a_failure_with_its_text(error: Exception, text: str) -> None:
    nursery = Nursery()
    nursery.error = error
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.BACKOFF)
        assert child.state.cause == "not_spawned"
        assert child.state.reason is not None
        assert text in child.state.reason
        nursery.error = None
        await seen.until(Phase.STARTING)
        child.post(Ready(102))
        await seen.until(Phase.RUNNING)


async def test_late_news_are_dropped_and_counted() -> None:
    nursery = Nursery()
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        child.post(Unhealthy(100, "mute"))
        child.post(Exited(100, CRASH))
        child.post(Ready(101))
        await seen.until(Phase.RUNNING)
        assert (child.stale, child.state.failures) == (2, 0)


async def test_failures_are_forgiven_after_five_healthy_minutes() -> None:
    nursery = Nursery()
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        await asyncio.sleep(0)
        nursery.last.die(CRASH)
        await seen.until(Phase.BACKOFF)
        await seen.until(Phase.STARTING)
        child.post(Ready(102))
        await seen.until(Phase.RUNNING)
        await asyncio.sleep(299)
        assert child.state.failures == 1
        await asyncio.sleep(2)
        assert child.state.failures == 0
        assert child.deadline is None


async def test_a_new_policy_holds_from_the_next_decision() -> None:
    nursery = Nursery()
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        await asyncio.sleep(0)
        child.policy = msgspec.structs.replace(child.policy, initial=77.0)
        nursery.last.die(CRASH)
        await seen.until(Phase.BACKOFF)
        assert child.deadline == pytest.approx(now() + 77)


async def test_cancelling_it_kills_its_process_and_waits_for_the_end() -> None:
    nursery = Nursery()
    nursery.make = lambda: FakeProcess(deaf=True)
    async with living(nursery.spawn) as (child, seen):
        child.post(Start())
        await seen.until(Phase.STARTING)
        child.post(Ready(101))
        await seen.until(Phase.RUNNING)
    assert nursery.last.signals == ["kill"]


async def test_accounts_felled_together_do_not_return_together() -> None:
    nursery = Nursery()
    async with asyncio.TaskGroup() as group:
        witnesses = [Witness() for _ in range(20)]
        children = [Child("irc:libera", Policy(), nursery.spawn, on_change=w) for w in witnesses]
        tasks = [group.create_task(child.run()) for child in children]
        for child in children:
            child.post(Start())
        for witness in witnesses:
            await witness.until(Phase.STARTING)
        await asyncio.sleep(0)
        for process in list(nursery.born):
            process.die(CRASH)
        for witness in witnesses:
            await witness.until(Phase.BACKOFF)
        waits = {child.deadline for child in children}
        assert len(waits) == 20
        assert all(4 <= due - now() <= 6 for due in waits if due)
        for task in tasks:
            task.cancel()


class Ward:
    """A child whose callback raises as long as ``faults`` are left."""

    def __init__(self) -> None:
        self.puppets: list[Puppet] = []
        self.faults = 0  # still to come, when told of RUNNING
        self.child = Child("local:demo", Policy(jitter=0.0), self._spawn, on_change=self._told)

    async def _spawn(self, incarnation: int) -> Any:
        self.puppets.append(Puppet("local:demo", incarnation, 1))
        return self.puppets[-1]

    def _told(self, name: str, state: State, event: Event) -> None:
        if self.faults and state.phase is Phase.RUNNING:
            self.faults -= 1
            raise RuntimeError("no room")

    async def start(self) -> None:
        born = len(self.puppets)
        self.child.post(Start())
        await until(lambda: len(self.puppets) > born and self.child.process)
        self.child.post(Ready(self.child.state.incarnation))


async def test_a_fault_costs_the_child_a_failure_and_it_comes_back() -> None:
    ward = Ward()
    ward.faults = 1
    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(supervise(ward.child))
        await ward.start()
        await until(lambda: ward.child.state.phase is Phase.BACKOFF)
        assert ward.child.state.reason == "supervision failed: RuntimeError: no room"
        assert ward.puppets[0].signals == ["kill"]
        await asyncio.sleep(5.0)
        ward.child.post(Ready(ward.child.state.incarnation))
        await until(lambda: ward.child.state.phase is Phase.RUNNING)
        assert len([puppet for puppet in ward.puppets if puppet.alive]) == 1
        task.cancel()
        await asyncio.wait([task])
    assert [line["event"] for line in logs] == ["supervision failed"]


async def test_a_cancellation_ends_it_and_the_process() -> None:
    ward = Ward()
    task = asyncio.create_task(supervise(ward.child))
    await ward.start()
    await until(lambda: ward.child.state.phase is Phase.RUNNING)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ward.puppets[0].signals == ["kill"]


async def test_a_process_that_is_none_ends_once() -> None:
    process = StandInProcess()
    process.end(CRASH)
    process.terminate()
    process.kill()
    assert await process.wait() == CRASH
    asked = StandInProcess("let go")
    asked.kill()
    assert await asked.wait() == Exit(code=0, text="let go")

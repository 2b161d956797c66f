"""Everything that may happen to accounts, in random order, against the invariants of part 6.3.

Real roster, holds, start gate, history and lifecycle on virtual time; the processes are
played. At most one live process per account; what is wanted and what is converge; never a
start after a manual stop; the counters match; nothing is left over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ipc.frames.words import ALIVE, Phase
from runtime.config.supervisor_model import RestartConfig
from runtime.supervisor.lifecycle import (
    Deadline,
    Exit,
    Exited,
    Linking,
    Ready,
    Spawned,
    Unhealthy,
)
from tests.support.accounts import spec_of
from tests.support.fleet import Fleet, fleet
from tests.support.short_directory import ShortDirectory
from tests.support.virtual import VirtualTimeLoop

KEYS = [f"local:a{number}" for number in range(4)]
keys = st.sampled_from(KEYS)
exits = st.sampled_from(
    [
        Exit(code=1),
        Exit(signal=9),
        Exit(signal=9, oom=True),
        Exit(code=255),
        Exit(code=75, said="transient", text="no route"),
        Exit(code=77, said="needs_login", text="bad password"),
        Exit(code=78, said="misconfigured", text="no nick"),
        Exit(code=0, said="finished", text="bye"),
        Exit(code=0, said="logged_out", text="elsewhere"),
    ]
)
NEEDS_AN_ACT = {"finished", "logged_out", "needs_login", "misconfigured"}


class Accounts(RuleBasedStateMachine):
    """Four accounts and the people, platforms and supervisors around them."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.runner = asyncio.Runner(loop_factory=lambda: self.loop)
        self.directory = ShortDirectory()
        self.stack = AsyncExitStack()
        self.boot = 0
        self.held: set[str] = set()
        self.specs = {key: spec_of(key, restart=RestartConfig()) for key in KEYS}
        self.incarnations: dict[str, int] = {}
        self.spawns_while_held: dict[str, int] = {}
        self.fleet: Fleet

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        type(self).steps += 1
        return self.runner.run(work)

    @initialize()
    def begin(self) -> None:
        self.do(self._begin())

    async def _begin(self) -> None:
        self.boot += 1
        place = self.directory.path
        specs = self.specs.values()
        self.fleet = await self.stack.enter_async_context(
            fleet(place, *specs, boot=self.boot, concurrency=2)
        )
        self.spawns_while_held = dict.fromkeys(self.held, 0)

    # People

    @rule(key=keys)
    def start(self, key: str) -> None:
        if key in self.fleet.accounts:
            may = self.fleet.roster.obstacle(self.fleet.account(key)) is None
            self.do(self.fleet.start(key))
            if may:
                self.held.discard(key)
                assert self.fleet.account(key).child.state.wanted

    @rule(key=keys)
    def stop(self, key: str) -> None:
        if key in self.fleet.accounts:
            self.do(self.fleet.stop(key, "by the model"))
            self._hold(key)

    def _hold(self, key: str) -> None:
        self.held.add(key)
        self.spawns_while_held[key] = len(self.fleet.spawns(key))

    @rule(key=keys)
    def restart(self, key: str) -> None:
        if key in self.fleet.accounts:
            may = self.fleet.roster.obstacle(self.fleet.account(key)) is None
            self.do(self.fleet.restart(key))
            if may:
                self.held.discard(key)

    @rule(key=keys)
    def reset(self, key: str) -> None:
        if key in self.fleet.accounts:
            self.do(self.fleet.reset(key))
            assert self.fleet.account(key).child.state.failures == 0

    @rule(key=keys)
    def stop_and_start_at_once(self, key: str) -> None:
        if (
            key in self.fleet.accounts
            and self.fleet.roster.obstacle(self.fleet.account(key)) is None
        ):
            self.do(self._both(key))
            self.held.discard(key)

    async def _both(self, key: str) -> None:
        await self.fleet.stop(key)
        await self.fleet.start(key)

    # The configuration

    @rule(key=keys, number=st.integers(0, 3))
    def change(self, key: str, number: int) -> None:
        self.specs[key] = spec_of(key, restart=RestartConfig(), fingerprint=str(number))
        self.do(self.fleet.configure(*self.specs.values()))

    @rule(key=keys)
    def disable(self, key: str) -> None:
        self.specs[key] = spec_of(key, restart=RestartConfig(), enabled=False, fingerprint="off")
        self.do(self.fleet.configure(*self.specs.values()))

    @rule(key=keys)
    def remove(self, key: str) -> None:
        if len(self.specs) > 1:
            if self.specs.pop(key, None) is not None:
                self.held.discard(key)  # who adds it later means another account
            self.do(self.fleet.configure(*self.specs.values()))

    # Processes and platforms

    @rule(key=keys)
    def ready(self, key: str) -> None:
        if key in self.fleet.accounts:
            self.do(self.fleet.ready(key))

    @rule(key=keys, asks=st.booleans())
    def ask_for_a_login(self, key: str, asks: bool) -> None:
        if key in self.fleet.accounts:
            child = self.fleet.account(key).child
            child.post(Linking(child.state.incarnation, "log in" if asks else ""))
            self.do(self.fleet.wait(0))

    @rule(key=keys, how=exits)
    def crash(self, key: str, how: Exit) -> None:
        self.do(self.fleet.crash(key, how=how))

    @rule(how=exits)
    def crash_all(self, how: Exit) -> None:
        self.do(self.fleet.crash(*KEYS, how=how))

    @rule(key=keys)
    def hang(self, key: str) -> None:
        if key in self.fleet.accounts:
            self.fleet.account(key).mark_unhealthy("silent for 30 s")
            self.do(self.fleet.wait(0))

    @rule(key=keys, deaf=st.booleans())
    def be_deaf(self, key: str, deaf: bool) -> None:
        (self.fleet.deaf.add if deaf else self.fleet.deaf.discard)(key)
        for puppet in self.fleet.alive(key):
            puppet.deaf = deaf

    @rule(key=keys, orders=st.sampled_from(["stop", "stop start", "restart stop", "hang stop"]))
    def order_one_that_does_not_listen(self, key: str, orders: str) -> None:
        self.be_deaf(key, True)
        for order in orders.split():
            getattr(self, order)(key)

    @rule(key=keys, how=exits, back=st.integers(1, 3))
    def hear_late_news(self, key: str, how: Exit, back: int) -> None:
        """What an earlier incarnation says changes nothing."""
        if key in self.fleet.accounts:
            child = self.fleet.account(key).child
            before, old = child.state, child.state.incarnation - back
            for news in (
                Spawned(old),
                Linking(old, "x"),
                Ready(old),
                Unhealthy(old, "late"),
                Exited(old, how),
            ):
                child.post(news)
            child.post(Deadline(old, before.phase))
            self.do(self.fleet.wait(0))
            assert child.state == before

    @rule(key=keys, broken=st.booleans())
    def break_the_spawn(self, key: str, broken: bool) -> None:
        if broken:
            self.fleet.broken[key] = OSError("no more processes")
        else:
            self.fleet.broken.pop(key, None)

    @rule(seconds=st.sampled_from([0.0, 0.5, 4.0]))
    def slow_down_spawns(self, seconds: float) -> None:
        self.fleet.spawn_seconds = seconds

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 5.0, 6.0, 31.0, 301.0, 1000.0]))
    def pass_time(self, seconds: float) -> None:
        self.do(self.fleet.wait(seconds))

    @rule(up=st.booleans())
    def turn_the_network(self, up: bool) -> None:
        self.fleet.outside.route = up

    # The supervisor

    @rule(graceful=st.booleans())
    def restart_the_supervisor(self, graceful: bool) -> None:
        self.do(self._again(graceful))

    async def _again(self, graceful: bool) -> None:
        failures = {k: a.child.state.failures for k, a in self.fleet.accounts.items()}
        if graceful:
            self.fleet.roster.stop_all()
            await self.fleet.roster.wait_down(60.0)
        await self.stack.aclose()
        self.stack = AsyncExitStack()
        await self._begin()
        for key, account in self.fleet.accounts.items():
            if key in failures:  # an automatic start forgives nothing
                assert account.child.state.failures >= failures[key]

    # What must always hold

    @invariant()
    def at_most_one_process_of_each_account(self) -> None:
        if hasattr(self, "it"):
            for key in KEYS:
                assert len(self.fleet.alive(key)) <= 1
            names = [(puppet.key, puppet.incarnation) for puppet in self.fleet.puppets]
            assert len(names) == len(set(names))

    @invariant()
    def nothing_is_started_after_a_manual_stop(self) -> None:
        for key in self.held if hasattr(self, "it") else ():
            assert len(self.fleet.spawns(key)) == self.spawns_while_held.get(key, 0)
            if key in self.fleet.accounts:
                assert self.fleet.account(key).child.state.wanted is False
                assert self.fleet.holds.get(key) is not None

    @invariant()
    def the_row_agrees_with_the_process(self) -> None:
        if hasattr(self, "it"):
            self.runner.run(self._compare())

    async def _compare(self) -> None:
        for key, account in self.fleet.accounts.items():
            state, alive = account.child.state, self.fleet.alive(key)
            if state.phase not in ALIVE:
                assert alive == []
            row = account.status()
            assert (row.pid is not None) == (account.child.process is not None)
            assert (row.failures, row.restarts) == (state.failures, state.restarts)
            assert sum(row.restart_reasons.values()) == state.restarts
            linking = state.phase is Phase.STARTING and state.cause == "linking"
            assert (row.todo is not None) == (state.phase is Phase.FAILED or linking)
            assert state.incarnation >= self.incarnations.get(key, 0)
            self.incarnations[key] = state.incarnation

    @invariant()
    def the_history_is_bounded_and_ends_with_what_is(self) -> None:
        for account in self.fleet.accounts.values() if hasattr(self, "it") else ():
            events = account.history
            assert len(events) <= 50
            if events and account.child.state.incarnation == events[-1]["incarnation"]:
                assert events[-1]["phase"] == account.phase.value

    @precondition(lambda self: hasattr(self, "it"))
    @rule()
    def converge(self) -> None:
        """Once the world is good again, every account is what people want it to be."""
        self.do(self._converge())
        for key, account in self.fleet.accounts.items():
            state = account.child.state
            if key in self.held or not account.spec.enabled:
                assert state.phase is Phase.STOPPED
            elif state.cause in NEEDS_AN_ACT:
                assert state.phase in (Phase.STOPPED, Phase.FAILED)
            else:
                assert state.phase is Phase.RUNNING
        assert set(self.fleet.accounts) == set(self.specs)

    async def _converge(self) -> None:
        rig = self.fleet
        rig.broken.clear()
        rig.deaf.clear()
        rig.spawn_seconds, rig.outside.route, rig.ready_by_itself = 0.0, True, True
        await rig.ready(*[k for k, a in rig.accounts.items() if a.phase is Phase.STARTING])
        await rig.wait(2000.0)
        rig.ready_by_itself = False

    def teardown(self) -> None:
        try:
            self.runner.run(self.stack.aclose())
        finally:
            self.runner.close()
            self.directory.cleanup()


def play(examples: int, steps: int) -> int:
    """Play the model; return how many steps were taken."""
    Accounts.steps = 0
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Accounts, settings=chosen)
    return Accounts.steps


def test_whatever_happens_the_accounts_are_what_people_want() -> None:
    assert play(60, 100) >= 2000


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_whatever_happens_for_long_the_accounts_are_what_people_want() -> None:
    assert play(400, 250) >= 50_000

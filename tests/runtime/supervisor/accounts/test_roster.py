from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from ipc.frames.status import Hold
from ipc.frames.words import Phase
from runtime.config.supervisor_model import AccountLimitsConfig, RestartConfig
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.holds import Holds
from runtime.supervisor.accounts.roster import Difference, Roster
from runtime.supervisor.lifecycle import Exit, Ready, Start, Stop
from runtime.supervisor.processes.cgroups import GroupLimits
from runtime.supervisor.processes.limits import ProcessLimits, group_limits
from tests.support.accounts import Stage, account_of, agent_of, phase, spec_of
from tests.support.until import until

pytestmark = pytest.mark.virtual_time
A, B = "local:a", "local:b"


class PlayedLimits:
    """Stands for the limits of a process: remembers what is asked of it."""

    def __init__(self) -> None:
        self.unmet: list[str] = []
        self.changed: list[AccountLimitsConfig] = []

    def change(self, limits: AccountLimitsConfig) -> None:
        self.changed.append(limits)


class RosterRig:
    """A roster whose accounts live on a stage."""

    def __init__(self, directory: Path) -> None:
        self.stage = Stage()
        self.holds = Holds(directory / "holds.json")
        self.removed: list[str] = []
        self.roster = Roster(
            self.holds,
            first_incarnation=100,
            make=self._make,
            on_removed=lambda key, last: self.removed.append(key),
        )

    def _make(self, spec: WorkerSpec, first: int, hold: Hold | None) -> Account:
        return account_of(self.stage, spec, first_incarnation=first, hold=hold)

    def __getitem__(self, key: str) -> Account:
        return self.roster.accounts[key]

    def add(self, *specs: WorkerSpec) -> None:
        for spec in specs:
            self.roster.add(spec)

    def replace(self, *specs: WorkerSpec) -> Difference:
        return self.roster.apply_specs({spec.key: spec for spec in specs})

    async def run(self, key: str) -> Account:
        """Have an account that is starting become ready."""
        account = self[key]
        await until(lambda: account.child.process is not None)
        account.child.post(Ready(account.child.state.incarnation))
        await phase(account, Phase.RUNNING)
        return account


@asynccontextmanager
async def living(directory: Path) -> AsyncIterator[RosterRig]:
    rig = RosterRig(directory)
    try:
        yield rig
    finally:
        await rig.roster.close()
        assert not any(puppet.alive for puppet in rig.stage.puppets)


async def test_an_account_that_may_run_is_started(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        account = await rig.run(A)
        assert rig.roster.obstacle(account) is None
        assert account.child.state.incarnation == 101


@pytest.mark.parametrize(
    ("spec", "cause", "text"),
    [
        (spec_of(A, enabled=False), "disabled", "disabled in the configuration"),
        (spec_of(A, enabled=False, reason="off"), "disabled", "off"),
        (spec_of(A, configured=False), "unconfigured", "not configured"),
        (spec_of(A, configured=False, reason="nick not set"), "unconfigured", "nick not set"),
    ],
)
async def test_an_account_that_may_not_run_says_why(
    tmp_path: Path, spec: WorkerSpec, cause: str, text: str
) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec)
        assert await rig[A].wait_until(lambda state: state.cause == cause, 1.0)
        assert rig.roster.obstacle(rig[A]) == (cause, text)
        assert rig.stage.puppets == []


async def test_a_held_account_stays_down_over_a_new_beginning(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A), spec_of(B))
        assert await rig.roster.hold([rig[A], rig[B]], "night")
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        assert await rig[A].wait_until(lambda state: state.cause == "held", 1.0)
        hold = rig[A].hold
        assert hold is not None
        assert hold.reason == rig[A].child.state.reason == "night"
        assert await rig.roster.release([rig[A]])
        assert rig[A].hold is None
        assert set(Holds(tmp_path / "holds.json").all()) == {B}


async def test_a_removed_account_is_forgotten_with_its_hold(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A), spec_of(B))
        await rig.roster.hold([rig[A], rig[B]], "night")
        rig.replace(spec_of(B))
        assert await rig.holds.wait_saved()
        assert set(Holds(tmp_path / "holds.json").all()) == {B}
        rig.replace(spec_of(A), spec_of(B))
        assert await rig[A].wait_until(lambda state: state.wanted, 1.0)


async def test_holds_that_cannot_be_written_are_kept_and_confessed(tmp_path: Path) -> None:
    async with living(tmp_path / "missing") as rig:
        rig.add(spec_of(A))
        assert await rig.roster.release([rig[A]])  # nothing held: nothing to write
        assert not await rig.roster.hold([rig[A]], None)
        assert rig[A].hold is not None
        assert not await rig.roster.release([rig[A]])
        assert rig[A].hold is None


async def test_a_reload_touches_only_what_changed(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A), spec_of(B))
        await rig.run(A)
        await rig.run(B)
        patient = RestartConfig(initial_seconds=60.0, jitter=0.0)
        found = rig.replace(spec_of(B, fingerprint="2"), spec_of(A, restart=patient))
        assert found == Difference([], [], [B, A])
        await until(lambda: rig.stage.alive(B) == [102])
        await rig.run(B)
        assert rig.stage.alive(A) == [101]
        assert rig[A].child.policy.initial == 60.0
        assert list(rig.roster.accounts) == [B, A]


async def test_an_account_is_added(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        assert rig.replace(spec_of(A)) == Difference([A], [], [])
        await rig.run(A)


async def test_a_removed_account_is_there_until_its_process_is_gone(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        rig.stage.deaf = True
        account = await rig.run(A)
        assert rig.replace() == Difference([], [A], [])
        assert rig.roster.obstacle(account) == ("removed", "it is no longer in the configuration")
        await asyncio.sleep(4.9)
        assert list(rig.roster.accounts) == [A]
        assert rig.removed == []
        await asyncio.sleep(0.2)
        assert rig.stage.last.signals == ["terminate", "kill"]
        assert rig.removed == [A]
        assert rig.roster.accounts == {}


async def test_one_that_comes_back_before_it_is_gone_never_has_two_processes(
    tmp_path: Path,
) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        rig.stage.deaf = True
        account = await rig.run(A)
        rig.replace()
        await asyncio.sleep(1.0)
        assert rig.replace(spec_of(A, fingerprint="2")) == Difference([A], [], [])
        assert rig[A] is account
        for _ in range(60):
            await asyncio.sleep(0.1)
            assert len(rig.stage.alive(A)) <= 1
        assert rig.stage.alive(A) == [102]
        assert account.spec.fingerprint == "2"
        assert rig.removed == []
        assert rig.roster.obstacle(account) is None


async def test_one_that_comes_back_before_it_is_gone_has_no_failures(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        account = await rig.run(A)
        rig.stage.last.die(Exit(code=1))
        await until(lambda: account.child.state.failures == 1)
        account.child.post(Start(automatic=True))
        await rig.run(A)
        assert account.child.state.failures == 1
        rig.replace()
        rig.replace(spec_of(A))
        await until(lambda: rig.stage.alive(A) == [103])
        assert (rig.removed, account.child.state.failures) == ([], 0)


async def test_one_that_comes_back_as_it_goes_stays(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        account = await rig.run(A)
        rig.replace()
        await phase(account, Phase.STOPPED)  # its end is known in this very turn
        rig.replace(spec_of(A))
        await until(lambda: rig.stage.alive(A) == [102])
        await asyncio.sleep(1.0)
        assert rig.removed == []
        assert list(rig.roster.accounts) == [A]


async def test_incarnations_only_grow_over_removals(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        for incarnation in (101, 102, 103):
            rig.replace(spec_of(A))
            await rig.run(A)
            assert rig.stage.alive(A) == [incarnation]
            rig.replace()
            await until(lambda: not rig.roster.accounts)
        assert rig.removed == [A, A, A]


async def test_disabling_stops_and_enabling_starts(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        account = await rig.run(A)
        assert rig.replace(spec_of(A, enabled=False)).changed == [A]
        await phase(account, Phase.STOPPED)
        assert account.child.state.cause == "disabled"
        assert rig.replace(spec_of(A)).changed == [A]
        await until(lambda: rig.stage.alive(A) == [102])


async def test_a_change_wakes_an_account_from_backoff(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        account = await rig.run(A)
        rig.stage.last.die(Exit(code=1))
        await phase(account, Phase.BACKOFF)
        rig.replace(spec_of(A, fingerprint="2"))
        await until(lambda: rig.stage.alive(A) == [102])


@pytest.mark.parametrize("deaf", [True, False])
async def test_a_change_does_not_undo_a_manual_stop(tmp_path: Path, deaf: bool) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        rig.stage.deaf = deaf
        account = await rig.run(A)
        await rig.roster.hold([account], None)
        account.child.post(Stop("held"))
        await phase(account, Phase.STOPPING if deaf else Phase.STOPPED)
        rig.replace(spec_of(A, fingerprint="2"))
        await asyncio.sleep(60.0)
        assert account.phase is Phase.STOPPED
        assert account.child.state.cause == "held"
        assert len(rig.stage.puppets) == 1


async def test_at_the_end_nothing_starts_any_more(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A), spec_of(B))
        account = await rig.run(A)
        await rig.run(B)
        rig.roster.stop_all()
        await rig.roster.wait_down(10.0)
        assert {each.child.state.cause for each in rig.roster.accounts.values()} == {"shutdown"}
        assert rig.roster.obstacle(account) == ("shutdown", "the supervisor is stopping")
        rig.replace(spec_of(A, fingerprint="2"), spec_of("local:new"))
        await asyncio.sleep(10.0)
        assert not any(puppet.alive for puppet in rig.stage.puppets)


async def test_waiting_for_the_end_has_an_end(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A))
        rig.stage.deaf = True
        await rig.run(A)
        rig.roster.stop_all()
        began = asyncio.get_running_loop().time()
        await rig.roster.wait_down(2.0)
        assert asyncio.get_running_loop().time() == began + 2.0


async def test_closing_kills_what_is_left(tmp_path: Path) -> None:
    async with living(tmp_path) as rig:
        rig.add(spec_of(A), spec_of(B))
        rig.stage.deaf = True
        await rig.run(A)
        await rig.run(B)
        rig.replace(spec_of(B))
        await rig.roster.close()
        assert [puppet.signals[-1] for puppet in rig.stage.puppets] == ["kill", "kill"]


async def test_new_limits_reach_a_worker_after_its_hello_and_unmet_ones_are_named(
    tmp_path: Path,
) -> None:
    """The limits of the process itself are tested in test_limits."""
    groups: dict[str, GroupLimits] = {}
    async with living(tmp_path) as rig:
        limits = PlayedLimits()
        rig.stage.limits = cast(ProcessLimits, limits)
        rig.add(spec_of(A))
        account = await rig.run(A)
        account.configure(spec_of(A, limits=AccountLimitsConfig(niceness=3, processes=20)))
        rig.roster.apply_limits(groups.__setitem__)
        assert groups == {f"{A}#101": group_limits(account.spec.limits)}
        assert limits.changed == []  # it may still be about to take on the older ones
        account.heartbeat.met = True
        rig.roster.apply_limits(groups.__setitem__)
        assert limits.changed == [account.spec.limits]
        assert rig.roster.pending_limits() == []
        limits.unmet = ["niceness"]
        (warning,) = rig.roster.pending_limits()
        assert warning.startswith(f"{A}: limits.niceness: applies from its next start")
        rig.stage.last.die(Exit(code=1))
        await phase(account, Phase.BACKOFF)
        assert rig.roster.pending_limits() == []


async def test_an_agent_is_a_row_of_the_same_roster_and_no_account(tmp_path: Path) -> None:
    agent = agent_of("main")
    async with living(tmp_path) as rig:
        rig.add(agent, spec_of(A))
        assert (list(rig.roster.accounts), list(rig.roster.agents)) == ([A], ["agent:main"])
        assert list(rig.roster.workers) == [A, "agent:main"]
        started = rig.roster.get("agent:main")
        assert started is not None
        await until(lambda: started.child.process is not None)
        assert await rig.roster.hold([started], "night")
        started.child.post(Stop("held"))
        await phase(started, Phase.STOPPED)
        assert rig.holds.get("agent:main") is not None
        changed = replace(agent, fingerprint="2")
        assert rig.roster.apply_specs({A: spec_of(A), "agent:main": changed}).changed == [
            "agent:main"
        ]
        assert started.phase is Phase.STOPPED  # it is held
        assert rig.replace(spec_of(A)).removed == ["agent:main"]
        await until(lambda: rig.removed == ["agent:main"])
        assert rig.roster.agents == {}

"""Scenarios 1-22: start. The number is in a test's name."""

from __future__ import annotations

import asyncio

import pytest

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import Exit, Ready, Reset, Start, Stop
from runtime.supervisor.policy import GATEWAY_POLICY
from tests.support.child_rig import EVEN, ChildRig, child_rig, now, pass_time, settle

pytestmark = pytest.mark.virtual_time


async def test_s001_a_start_goes_through_starting_to_running_with_one_process() -> None:
    async with child_rig() as rig:
        await rig.start()
        assert rig.phases == ["starting", "running"]
        assert rig.child.process is rig.last
        assert len(rig.puppets) == 1


async def test_s002_a_start_while_starting_spawns_nothing() -> None:
    async with child_rig() as rig:
        rig.spawn_seconds = 1.0
        await rig.post(Start(), Start(), Start(automatic=True))
        await pass_time(1.0)
        assert (rig.phase, len(rig.spawned)) == (Phase.STARTING, 1)


async def test_s003_a_start_while_running_changes_nothing() -> None:
    async with child_rig() as rig:
        await rig.start()
        before = rig.state
        await rig.post(Start(), Start(automatic=True))
        assert (rig.state, len(rig.spawned), rig.last.signals) == (before, 1, [])


async def test_s004_an_operators_start_in_backoff_cancels_the_wait_and_forgives() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crashes(3)
        begun = now()
        await rig.post(Start())
        assert (rig.spawned[-1], rig.state.failures) == (begun, 0)
        await rig.ready()
        await pass_time(3600)
        assert len(rig.spawned) == 4  # the cancelled wait started nothing


async def test_s005_an_automatic_start_keeps_the_count_so_the_ladder_is_climbed() -> None:
    async with child_rig() as rig:
        await rig.post(Start(automatic=True))
        await rig.crashes(3)
        assert rig.state.failures == 3
        assert rig.child.deadline == pytest.approx(now() + 20)
        await rig.post(Start(automatic=True))
        assert rig.state.failures == 3
        await rig.crashes(7)
        assert rig.child.deadline == pytest.approx(now() + 900)  # the slow tail instead of an end


async def test_s010_after_one_failure_the_second_try_works() -> None:
    async with child_rig() as rig:
        rig.error = OSError(11, "Resource temporarily unavailable")
        await rig.post(Start())
        rig.error = None
        await pass_time(5.0)
        await rig.ready()
        assert (rig.phase, rig.waits) == (Phase.RUNNING, [5.0])


async def test_s011_failing_every_time_it_waits_longer_and_is_never_given_up() -> None:
    async with child_rig() as rig:
        rig.error = OSError("no")
        await rig.post(Start())
        await pass_time(24 * 3600)
        assert rig.waits[:9] == [5, 10, 20, 40, 80, 160, 300, 300, 300]
        assert set(rig.waits[9:]) == {900}
        assert rig.phase is Phase.BACKOFF
        assert rig.state.reason == "cannot start: no"


async def test_s012_an_unknown_error_is_not_tried_again_at_once() -> None:
    """There is one retry owner: no burst of quick tries inside a start."""
    async with child_rig() as rig:
        rig.error = KeyError("nick")
        await rig.post(Start())
        await pass_time(4.9)
        assert (rig.phase, len(rig.spawned)) == (Phase.BACKOFF, 1)


async def test_s016_a_configuration_error_is_not_tried_again_and_says_why() -> None:
    for code, cause in ((78, "misconfigured"), (77, "needs_login")):
        async with child_rig() as rig:
            await rig.post(Start())
            await rig.crash(Exit(code=code, text="port: expected an integer"))
            await pass_time(24 * 3600)
            assert (rig.phase, len(rig.spawned)) == (Phase.FAILED, 1)
            assert (rig.state.cause, rig.state.reason) == (cause, "port: expected an integer")


async def test_s018_a_child_that_exits_while_it_starts_is_seen_at_once() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        begun = now()
        await rig.crash()
        assert (rig.phase, now()) == (Phase.BACKOFF, begun)


async def test_s021_being_ready_is_bounded_by_time_from_when_the_process_exists() -> None:
    async with child_rig() as rig:
        rig.spawn_seconds = 100.0  # waiting for its turn is not its fault
        await rig.post(Start())
        await pass_time(100.0)
        assert rig.phase is Phase.STARTING
        await pass_time(29.9)
        assert rig.phase is Phase.STARTING
        await pass_time(0.2)
        assert (rig.phase, rig.state.cause) == (Phase.BACKOFF, "not_ready")
        assert rig.state.reason == "not ready within 30 s"


MOMENTS = {
    "before it is spawned": 0.0,
    "while it waits for its turn": 1.0,
    "just before it exists": 1.999,
    "just after it exists": 2.001,
    "while it gets ready": 10.0,
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
@pytest.mark.parametrize("deaf", [False, True])
async def test_s022_a_stop_at_every_step_of_a_start_undoes_all_of_it(
    moment: float, deaf: bool
) -> None:
    async with child_rig() as rig:
        rig.spawn_seconds, rig.deaf = 2.0, deaf
        rig.child.post(Start())
        await asyncio.sleep(moment)
        rig.child.post(Stop("held", "superseded"))
        await pass_time(60.0)
        assert (rig.phase, rig.alive, len(rig.puppets)) == (Phase.STOPPED, [], 1)
        assert (rig.state.cause, rig.state.failures) == ("held", 0)
        assert rig.child.deadline is None
        await rig.post(Ready(rig.state.incarnation), Reset())
        assert rig.phase is Phase.STOPPED


async def test_s022_a_child_whose_supervision_ends_at_any_step_leaves_nothing() -> None:
    for moment in MOMENTS.values():
        rig = ChildRig()
        rig.spawn_seconds = 2.0
        task = asyncio.create_task(rig.child.run())
        rig.child.post(Start())
        await asyncio.sleep(moment)
        task.cancel()
        await asyncio.wait([task])
        await settle()
        assert not rig.alive


async def test_s014_a_configuration_error_after_a_correction_fails_again_without_a_retry() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crash(Exit(code=78))
        await rig.post(Start(automatic=True))  # the configuration has changed
        await rig.crash(Exit(code=78))
        await pass_time(3600)
        assert (rig.phase, len(rig.spawned)) == (Phase.FAILED, 2)


async def test_s011_the_gateway_is_tried_every_thirty_seconds_for_ever() -> None:
    async with child_rig(GATEWAY_POLICY, jitter=0.0) as rig:
        rig.error = OSError("no")
        await rig.post(Start())
        await pass_time(3600)
        assert rig.waits[-1] == 30.0
        assert rig.waits == sorted(rig.waits)


def test_s012_the_policy_of_the_scenarios_is_the_accounts_own_without_chance() -> None:
    assert (EVEN.initial, EVEN.maximum, EVEN.slow_after, EVEN.slow) == (5, 300, 10, 900)

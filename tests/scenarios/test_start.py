"""Scenarios 1-22: start. The number is in a test's name."""

from __future__ import annotations

import asyncio

import pytest

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import GATEWAY_POLICY, Exit, Ready, Reset, Start, Stop
from tests.support.life import EVEN, Life, life, now, pass_time, settle

pytestmark = pytest.mark.virtual_time


async def test_s001_a_start_goes_through_starting_to_running_with_one_process() -> None:
    async with life() as it:
        await it.start()
        assert it.phases == ["starting", "running"]
        assert it.child.process is it.last
        assert len(it.puppets) == 1


async def test_s002_a_start_while_starting_spawns_nothing() -> None:
    async with life() as it:
        it.spawn_seconds = 1.0
        await it.post(Start(), Start(), Start(automatic=True))
        await pass_time(1.0)
        assert (it.phase, len(it.spawned)) == (Phase.STARTING, 1)


async def test_s003_a_start_while_running_changes_nothing() -> None:
    async with life() as it:
        await it.start()
        before = it.state
        await it.post(Start(), Start(automatic=True))
        assert (it.state, len(it.spawned), it.last.signals) == (before, 1, [])


async def test_s004_an_operators_start_in_backoff_cancels_the_wait_and_forgives() -> None:
    async with life() as it:
        await it.post(Start())
        await it.crashes(3)
        begun = now()
        await it.post(Start())
        assert (it.spawned[-1], it.state.failures) == (begun, 0)
        await it.ready()
        await pass_time(3600)
        assert len(it.spawned) == 4  # the cancelled wait started nothing


async def test_s005_an_automatic_start_keeps_the_count_so_the_ladder_is_climbed() -> None:
    async with life() as it:
        await it.post(Start(automatic=True))
        await it.crashes(3)
        assert it.state.failures == 3
        assert it.child.deadline == pytest.approx(now() + 20)
        await it.post(Start(automatic=True))
        assert it.state.failures == 3
        await it.crashes(7)
        assert it.child.deadline == pytest.approx(now() + 900)  # the slow tail instead of an end


async def test_s010_after_one_failure_the_second_try_works() -> None:
    async with life() as it:
        it.error = OSError(11, "Resource temporarily unavailable")
        await it.post(Start())
        it.error = None
        await pass_time(5.0)
        await it.ready()
        assert (it.phase, it.waits) == (Phase.RUNNING, [5.0])


async def test_s011_failing_every_time_it_waits_longer_and_is_never_given_up() -> None:
    async with life() as it:
        it.error = OSError("no")
        await it.post(Start())
        await pass_time(24 * 3600)
        assert it.waits[:9] == [5, 10, 20, 40, 80, 160, 300, 300, 300]
        assert set(it.waits[9:]) == {900}
        assert it.phase is Phase.BACKOFF
        assert it.state.reason == "cannot start: no"


async def test_s012_an_unknown_error_is_not_tried_again_at_once() -> None:
    """There is one retry owner: no burst of quick tries inside a start."""
    async with life() as it:
        it.error = KeyError("nick")
        await it.post(Start())
        await pass_time(4.9)
        assert (it.phase, len(it.spawned)) == (Phase.BACKOFF, 1)


async def test_s016_a_configuration_error_is_not_tried_again_and_says_why() -> None:
    for code, cause in ((78, "misconfigured"), (77, "needs_login")):
        async with life() as it:
            await it.post(Start())
            await it.crash(Exit(code=code, text="port: expected an integer"))
            await pass_time(24 * 3600)
            assert (it.phase, len(it.spawned)) == (Phase.FAILED, 1)
            assert (it.state.cause, it.state.reason) == (cause, "port: expected an integer")


async def test_s018_a_child_that_exits_while_it_starts_is_seen_at_once() -> None:
    async with life() as it:
        await it.post(Start())
        begun = now()
        await it.crash()
        assert (it.phase, now()) == (Phase.BACKOFF, begun)


async def test_s021_being_ready_is_bounded_by_time_from_when_the_process_exists() -> None:
    async with life() as it:
        it.spawn_seconds = 100.0  # waiting for its turn is not its fault
        await it.post(Start())
        await pass_time(100.0)
        assert it.phase is Phase.STARTING
        await pass_time(29.9)
        assert it.phase is Phase.STARTING
        await pass_time(0.2)
        assert (it.phase, it.state.cause) == (Phase.BACKOFF, "not_ready")
        assert it.state.reason == "not ready within 30 s"


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
    async with life() as it:
        it.spawn_seconds, it.deaf = 2.0, deaf
        it.child.post(Start())
        await asyncio.sleep(moment)
        it.child.post(Stop("held", "superseded"))
        await pass_time(60.0)
        assert (it.phase, it.alive, len(it.puppets)) == (Phase.STOPPED, [], 1)
        assert (it.state.cause, it.state.failures) == ("held", 0)
        assert it.child.deadline is None
        await it.post(Ready(it.state.incarnation), Reset())
        assert it.phase is Phase.STOPPED


async def test_s022_a_child_whose_supervision_ends_at_any_step_leaves_nothing() -> None:
    for moment in MOMENTS.values():
        it = Life()
        it.spawn_seconds = 2.0
        task = asyncio.create_task(it.child.run())
        it.child.post(Start())
        await asyncio.sleep(moment)
        task.cancel()
        await asyncio.wait([task])
        await settle()
        assert not it.alive


async def test_s014_a_configuration_error_after_a_correction_fails_again_without_a_retry() -> None:
    async with life() as it:
        await it.post(Start())
        await it.crash(Exit(code=78))
        await it.post(Start(automatic=True))  # the configuration has changed
        await it.crash(Exit(code=78))
        await pass_time(3600)
        assert (it.phase, len(it.spawned)) == (Phase.FAILED, 2)


async def test_s011_the_gateway_is_tried_every_thirty_seconds_for_ever() -> None:
    async with life(GATEWAY_POLICY, jitter=0.0) as it:
        it.error = OSError("no")
        await it.post(Start())
        await pass_time(3600)
        assert it.waits[-1] == 30.0
        assert it.waits == sorted(it.waits)


def test_s012_the_policy_of_the_scenarios_is_the_accounts_own_without_chance() -> None:
    assert (EVEN.initial, EVEN.maximum, EVEN.slow_after, EVEN.slow) == (5, 300, 10, 900)

"""Scenarios 36-49: restart. The number is in a test's name.

There is no governor, no deferred-restart flag and no cooldown: one mailbox and the number of
the incarnation do their work. A person's restart is never refused, only coalesced.
"""

from __future__ import annotations

import msgspec
import pytest

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import Restart, Start, Stop
from tests.support.child_rig import child_rig, now, pass_time

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("spawn_seconds", [0.0, 1.0])
async def test_s036_three_restarts_while_starting_are_one(spawn_seconds: float) -> None:
    async with child_rig() as rig:
        rig.spawn_seconds = spawn_seconds
        await rig.post(Start())
        await rig.post(Restart(), Restart(), Restart())
        await pass_time(3.0)
        await rig.ready()
        assert (rig.phase, len(rig.spawned)) == (Phase.RUNNING, 2)


async def test_s036_three_restarts_in_backoff_start_it_at_once() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crash()
        begun = now()
        await rig.post(Restart())
        assert rig.spawned[-1] == begun
        await rig.post(Restart(), Restart())
        await rig.ready()
        await pass_time(24 * 3600)
        assert (rig.phase, len(rig.spawned)) == (Phase.RUNNING, 3)


async def test_s037_a_restart_that_waits_is_dropped_when_a_person_stops_it() -> None:
    async with child_rig() as rig:
        rig.spawn_seconds = 1.0
        await rig.post(Start(), Restart(), Stop("held"))
        await pass_time(24 * 3600)
        assert (rig.phase, len(rig.spawned), rig.alive) == (Phase.STOPPED, 1, [])


async def test_s038_a_restart_asked_for_while_starting_is_carried_out() -> None:
    """What it was started with may be older than the request."""
    async with child_rig() as rig:
        rig.spawn_seconds = 1.0
        await rig.post(Start())
        first = rig.state.incarnation
        await rig.post(Restart())
        await pass_time(3.0)
        await rig.ready()
        assert (rig.phase, rig.state.incarnation) == (Phase.RUNNING, first + 1)


async def test_s039_a_restart_asked_for_after_the_spawn_of_another_is_carried_out_too() -> None:
    async with child_rig() as rig:
        await rig.start()
        await rig.restart()
        assert len(rig.spawned) == 2
        await rig.restart()
        await rig.ready()
        assert (rig.phase, len(rig.spawned)) == (Phase.RUNNING, 3)


async def test_s040_a_restart_asked_for_before_the_spawn_of_another_joins_it() -> None:
    async with child_rig() as rig:
        rig.deaf = True
        await rig.start()
        await rig.post(Restart())
        await pass_time(2.0)
        await rig.post(Restart(), Start())  # the old process still lives
        await pass_time(3.0)
        rig.deaf = False
        await rig.ready()
        assert (rig.phase, len(rig.spawned)) == (Phase.RUNNING, 2)


async def test_s041_a_restart_right_after_a_restart_is_not_refused() -> None:
    async with child_rig() as rig:
        await rig.start()
        for count in range(2, 5):
            await rig.restart()
            await rig.ready()
            assert (rig.phase, len(rig.spawned)) == (Phase.RUNNING, count)
        assert now() == 0.0


async def test_s042_a_person_may_restart_as_often_as_they_like() -> None:
    async with child_rig() as rig:
        await rig.start()
        for _ in range(100):
            await rig.restart()
            await rig.ready()
        assert (rig.phase, len(rig.spawned), rig.state.failures) == (Phase.RUNNING, 101, 0)


async def test_s043_automatic_restarts_slow_down_and_a_person_passes_them() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crashes(5)
        assert rig.child.deadline == pytest.approx(now() + 80)
        begun = now()
        await rig.restart()
        assert (rig.spawned[-1], rig.state.failures) == (begun, 0)
        await rig.crash()
        assert rig.child.deadline == pytest.approx(now() + 5)


async def test_s044_after_five_healthy_minutes_the_next_failure_is_the_first() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crashes(4)
        await pass_time(40.0)
        await rig.ready()
        await pass_time(301.0)
        assert rig.state.failures == 0
        await rig.crash()
        assert rig.state.failures == 1
        assert rig.child.deadline == pytest.approx(now() + 5)


async def test_s045_counters_never_overflow() -> None:
    async with child_rig() as rig:
        huge = 2**63 - 1
        rig.child.state = msgspec.structs.replace(rig.state, failures=huge, restarts=huge)
        await rig.post(Start(automatic=True))
        await rig.crash()
        assert rig.state.failures == huge + 1
        assert rig.child.deadline == pytest.approx(now() + 900)
        await pass_time(900.0)
        assert (rig.phase, rig.state.restarts) == (Phase.STARTING, huge + 1)


async def test_s046_a_start_that_fails_inside_a_restart_is_tried_again_and_says_why() -> None:
    async with child_rig() as rig:
        await rig.start()
        rig.error = OSError("no more processes")
        await rig.restart()
        assert (rig.phase, rig.state.reason) == (
            Phase.BACKOFF,
            "cannot start: no more processes",
        )
        rig.error = None
        await pass_time(5.0)
        await rig.ready()
        assert rig.phase is Phase.RUNNING


async def test_s047_after_a_restart_nothing_more_is_started() -> None:
    async with child_rig() as rig:
        await rig.start()
        await rig.restart()
        await rig.ready()
        await pass_time(24 * 3600)
        assert (rig.phase, len(rig.spawned)) == (Phase.RUNNING, 2)


async def test_s048_twenty_requests_in_a_second_are_few_restarts_and_none_starves() -> None:
    async with child_rig() as rig:
        await rig.start()
        rig.deaf = True  # from now on each takes its whole grace to end
        await rig.restart()
        await rig.ready()
        before = len(rig.spawned)
        for _ in range(20):
            await rig.post(Restart())
            await pass_time(0.05)
        last = now()
        await pass_time(5.0)
        await rig.ready()
        assert (rig.phase, len(rig.spawned)) == (Phase.RUNNING, before + 1)
        assert rig.spawned[-1] >= last - 0.05


async def test_s048_requests_that_never_end_do_not_put_it_off() -> None:
    async with child_rig() as rig:
        rig.deaf = True
        await rig.start()
        for _ in range(200):  # twenty seconds of them
            await rig.post(Restart())
            await pass_time(0.1)
        assert len(rig.spawned) >= 4  # one for each grace of five seconds


async def test_s049_a_persons_restart_of_a_crash_loop_forgives_and_keeps_the_count() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crashes(12)
        restarts = rig.state.restarts
        await rig.restart()
        assert (rig.state.failures, rig.state.restarts) == (0, restarts + 1)

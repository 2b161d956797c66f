"""Scenarios 23-35: stop. The number is in a test's name."""

from __future__ import annotations

import asyncio

import pytest

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import Exit, Restart, Start, Stop, Unhealthy
from tests.support.child_rig import ChildRig, child_rig, now, pass_time, settle

pytestmark = pytest.mark.virtual_time


async def test_s023_a_stop_asks_and_is_over_only_when_the_exit_is_seen() -> None:
    async with child_rig() as rig:
        rig.deaf = True
        await rig.start()
        await rig.stop()
        assert (rig.phase, rig.last.signals) == (Phase.STOPPING, ["terminate"])
        await pass_time(4.0)
        assert rig.phase is Phase.STOPPING
        await rig.crash(Exit(code=0))
        assert (rig.phase, rig.last.signals) == (Phase.STOPPED, ["terminate"])


async def test_s024_one_that_ignores_the_stop_is_killed_when_its_grace_is_over() -> None:
    async with child_rig() as rig:
        rig.deaf = True
        await rig.start()
        begun = now()
        await rig.stop()
        await pass_time(5.0)
        assert (rig.phase, rig.last.signals) == (Phase.STOPPED, ["terminate", "kill"])
        assert now() - begun == pytest.approx(5.0)


async def test_s026_two_stops_end_it_once_and_both_are_done() -> None:
    async with child_rig() as rig:
        await rig.start()
        await rig.post(Stop("held"), Stop("held"))
        assert (rig.phase, rig.last.signals) == (Phase.STOPPED, ["terminate"])


async def test_s027_what_is_being_spawned_when_the_stop_comes_does_not_survive() -> None:
    async with child_rig() as rig:
        rig.spawn_seconds = 2.0
        await rig.post(Start())
        await rig.stop()
        await pass_time(10.0)
        assert (rig.phase, len(rig.puppets), rig.alive) == (Phase.STOPPED, 1, [])


async def test_s028_a_stop_in_backoff_cancels_the_next_start() -> None:
    async with child_rig() as rig:
        await rig.post(Start())
        await rig.crash()
        await rig.stop()
        assert (rig.phase, rig.child.deadline) == (Phase.STOPPED, None)
        await pass_time(24 * 3600)
        assert len(rig.spawned) == 1


async def test_s029_a_crash_during_the_stop_is_expected_and_its_code_is_kept() -> None:
    async with child_rig() as rig:
        rig.deaf = True
        await rig.start()
        await rig.stop()
        await rig.crash(Exit(code=3))
        assert (rig.phase, rig.state.cause, rig.state.failures) == (Phase.STOPPED, "held", 0)
        assert rig.child.last_exit == Exit(code=3)
        await pass_time(24 * 3600)
        assert len(rig.spawned) == 1


async def test_s030_a_start_while_stopping_runs_after_the_old_process_is_gone() -> None:
    async with child_rig() as rig:
        rig.deaf = True
        await rig.start()
        await rig.stop()
        await rig.post(Start())
        assert (len(rig.puppets), rig.phase) == (1, Phase.STOPPING)
        await pass_time(5.0)
        await rig.ready()
        assert (rig.phase, len(rig.puppets), rig.state.wanted) == (Phase.RUNNING, 2, True)


async def test_s031_one_that_is_dead_before_the_stop_is_stopped_at_once_and_not_signalled() -> None:
    async with child_rig() as rig:
        await rig.start()
        await rig.crash()
        begun = now()
        await rig.stop()
        assert (rig.phase, now(), rig.last.signals) == (Phase.STOPPED, begun, [])


async def test_s034_a_restart_that_waits_is_dropped_by_a_stop() -> None:
    async with child_rig() as rig:
        rig.deaf = True
        await rig.start()
        await rig.post(Restart(), Start(), Stop("held"))
        await pass_time(24 * 3600)
        assert (rig.phase, len(rig.spawned)) == (Phase.STOPPED, 1)


async def test_s035_when_supervision_is_ended_by_force_the_process_is_killed_and_awaited() -> None:
    rig = ChildRig()
    task = asyncio.create_task(rig.child.run())
    rig.deaf = True
    await rig.start()
    task.cancel()
    await asyncio.wait([task])
    assert (rig.alive, rig.last.signals) == ([], ["kill"])


async def test_s035_when_there_is_no_process_there_is_nothing_to_kill() -> None:
    rig = ChildRig()
    task = asyncio.create_task(rig.child.run())
    await settle()
    task.cancel()
    await asyncio.wait([task])
    assert rig.puppets == []


async def test_s024_a_process_that_survives_a_kill_is_killed_again() -> None:
    async with child_rig() as rig:
        await rig.start()
        puppet = rig.last
        puppet.terminate = lambda: None  # type: ignore[method-assign]  # stuck in the kernel
        kill = puppet.kill
        puppet.kill = lambda: puppet.signals.append("kill")  # type: ignore[method-assign]
        await rig.stop()
        await pass_time(15.1)
        assert (rig.phase, puppet.signals) == (Phase.STOPPING, ["kill"] * 3)
        kill()
        await settle()
        assert rig.phase is Phase.STOPPED


async def test_s026_a_stop_for_health_and_a_stop_by_a_person_end_it_once() -> None:
    async with child_rig() as rig:
        rig.deaf = True
        await rig.start()
        await rig.post(Unhealthy(rig.state.incarnation, "mute"), Stop("held"))
        await pass_time(24 * 3600)
        assert (rig.phase, rig.state.cause, len(rig.spawned)) == (Phase.STOPPED, "held", 1)
        assert rig.last.signals == ["terminate", "kill"]

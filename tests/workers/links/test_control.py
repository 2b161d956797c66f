"""The worker's end of the control link, with a real router as the supervisor."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ipc.frames import control
from tests.support.worker_rig import INCARNATION, TOKEN, FakeSupervisor, WorkerRig, worker_rig
from workers.links.control import WorkerControlLink

BEAT = control.Beat(0.0, 1, 0.0, 1, 0, 0, 0, 0, 0, 0, {})


@asynccontextmanager
async def opened(rig: WorkerRig) -> AsyncIterator[tuple[WorkerControlLink, list[str]]]:
    """Open a link without a worker; the list collects the orders of the supervisor."""
    orders: list[str] = []
    link = WorkerControlLink(
        rig.boot(),
        lambda lag: BEAT,
        lambda: orders.append("drain"),
        lambda: orders.append("recheck"),
    )
    link.open()
    try:
        await rig.supervisor.until(lambda: rig.supervisor.frames)
        yield link, orders
    finally:
        link.close()


async def test_each_order_of_the_supervisor_is_passed_on(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig, opened(rig) as (_, orders):
        rig.supervisor.send_raw(control.encode([control.Drain(), control.Recheck()]))
        rig.supervisor.ping(1)
        await rig.supervisor.until(lambda: control.Pong(1) in rig.supervisor.frames)
        assert orders == ["drain", "recheck"]


async def test_ready_is_sent_once_and_after_the_status(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig, opened(rig) as (link, _):
        link.patch({"connected": True})
        link.send_ready()
        link.send_ready()
        link.beat()
        await rig.supervisor.until(lambda: rig.supervisor.of(control.Beat))
        assert rig.supervisor.frames[1:] == [
            control.StatusPatch({"connected": True}),
            control.WorkerReady(),
            BEAT,
        ]


async def test_changes_of_one_turn_are_one_frame_with_the_last_values(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig, opened(rig) as (link, _):
        link.patch({"busy": True, "detail": "a"})
        link.patch({"busy": False})
        await rig.supervisor.until(lambda: rig.supervisor.of(control.StatusPatch))
        assert rig.supervisor.of(control.StatusPatch) == [
            control.StatusPatch({"busy": False, "detail": "a"})
        ]


async def test_what_is_waited_for_is_said_again_after_a_frame_was_lost(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig, opened(rig) as (link, _):
        link.send_waits("for the gateway")
        waits = control.WorkerWaits("for the gateway")
        await rig.supervisor.until(lambda: waits in rig.supervisor.frames)
        rig.supervisor.close()
        rig.supervisor = FakeSupervisor(rig.endpoints.control)
        await rig.supervisor.until(lambda: waits in rig.supervisor.frames)


async def test_a_long_problem_is_cut_to_what_the_frame_may_hold(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig, opened(rig) as (link, _):
        link.send_rechecked(False, "x" * 2 * control.MAX_PROBLEM)
        (sent,) = await rig.supervisor.until(lambda: rig.supervisor.of(control.Rechecked))
        assert len(sent.problem) == control.MAX_PROBLEM


async def test_after_its_end_nothing_is_sent(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        async with opened(rig) as (link, _):
            pass
        link.beat()
        link.close()


async def test_a_worker_says_hello_then_ready_then_beats(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.02)
        await rig.up()
        await rig.supervisor.until(lambda: len(rig.supervisor.of(control.Beat)) >= 3)
        hello = rig.supervisor.frames[0]
        assert hello == control.ControlHello("controllable:one", INCARNATION, TOKEN, os.getpid())
        assert rig.supervisor.peers == {b"controllable:one#7"}
        assert len(rig.supervisor.of(control.WorkerReady)) == 1
        beat = rig.supervisor.of(control.Beat)[-1]
        assert beat.rss_bytes > 1_000_000
        assert beat.fds > 3
        assert beat.lag < 1


async def test_a_worker_answers_a_ping(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        await rig.up()
        rig.supervisor.ping(41)
        await rig.supervisor.until(lambda: control.Pong(41) in rig.supervisor.frames)


async def test_it_beats_as_often_as_it_is_told_from_then_on(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=3600.0)
        await rig.up()
        rig.supervisor.send_raw(control.encode([control.BeatInterval(0.02)]))
        await rig.supervisor.until(lambda: len(rig.supervisor.of(control.Beat)) >= 4)
        assert rig.supervisor.of(control.Beat)[-1].lag < 1


async def test_what_did_not_change_is_not_told_again(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.ctx.status(connected=True)
        plugin.ctx.status(busy=True)
        await rig.supervisor.until(lambda: "busy" in rig.supervisor.status())
        plugin.ctx.status(connected=True)
        plugin.ctx.status(busy=False)
        await rig.supervisor.until(lambda: rig.supervisor.status()["busy"] is False)
        assert [each.patch for each in rig.supervisor.of(control.StatusPatch)[1:]] == [
            {"connected": True, "busy": True},
            {"busy": False},
        ]


async def test_a_supervisor_that_reconnects_hears_everything_again(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=60)
        plugin = await rig.up()
        plugin.ctx.status(connected=True)
        await rig.supervisor.until(lambda: rig.supervisor.status().get("connected"))
        rig.supervisor.close()
        rig.supervisor = FakeSupervisor(rig.endpoints.control)
        await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
        assert len(rig.supervisor.of(control.ControlHello)) == 1
        assert rig.supervisor.status() == {"connected": True, "mode": "test"}


async def test_a_worker_measures_its_memory_on_request(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        await rig.up()
        rig.supervisor.send_raw(control.encode([control.Weigh()]))
        (answer,) = await rig.supervisor.until(lambda: rig.supervisor.of(control.Weighed))
        assert answer.pss_bytes > 1_000_000

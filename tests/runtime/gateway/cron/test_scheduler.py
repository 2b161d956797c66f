"""When jobs begin, and what the next gateway goes on with: by a clock that the test sets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from ipc.errors import RemoteError
from runtime.config.timers import CronConfig
from runtime.gateway.cron.job_types import ScheduledJob
from runtime.gateway.cron.jobs import due
from runtime.gateway.cron.outcomes import begin_by_hand
from runtime.gateway.cron.schedule import GRACE_MS, SPREAD_MS, Due, iso
from runtime.gateway.cron.scheduler import INTERRUPTED
from tests.support.journals import FullDisk
from tests.support.rig_agent import turn_of
from tests.support.timers import HOUR, TURN, timer_rig
from tests.support.until import until
from workers.agent import Final, TurnOutcome


async def test_a_planned_time_begins_one_run_however_often_it_is_looked_at() -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        job = await rig.add(timers)
        scheduler = timers.scheduler
        rig.now += HOUR
        for _ in range(3):
            scheduler.start_due()
        await until(lambda: rig.agent.asked)
        scheduler.start_due()
        (asked,) = rig.agent.asked
        assert asked["run"] == f"cron:{job.id}:{job.state.next_run_at_ms}"
        kept = scheduler.jobs[job.id]
        assert kept.state.next_run_at_ms == job.created_at_ms + 2 * HOUR
        rig.agent.answers("done")
        await until(lambda: scheduler.log.of(job.id))
        assert scheduler.log.of(job.id)[0].summary == "done"
        assert len(rig.agent.asked) == 1


async def test_the_next_gateway_goes_on_with_a_run_and_begins_no_second_one() -> None:
    async with timer_rig() as rig:
        first = await rig.timers()
        job = await rig.add(first)
        rig.now += HOUR
        first.scheduler.start_due()
        await until(lambda: rig.agent.asked)
        second = await rig.timers()
        second.scheduler.start_due()
        assert second.scheduler.in_flight == 1
        rig.agent.answers("late")
        await until(lambda: second.scheduler.log.of(job.id))
        assert (second.scheduler.log.of(job.id)[0].status, len(rig.agent.asked)) == ("ok", 1)
        await until(lambda: second.scheduler.in_flight == 0)


async def test_a_run_that_is_not_found_any_more_has_failed() -> None:
    async with timer_rig() as rig:
        first = await rig.timers()
        job = await rig.add(first)
        await first.scheduler.save(begin_by_hand(job, rig.now), "updated")
        second = await rig.timers()
        await until(lambda: second.scheduler.log.of(job.id))
        assert second.scheduler.log.of(job.id)[0].error == INTERRUPTED
        await until(lambda: second.scheduler.in_flight == 0)


@pytest.mark.parametrize("catch_up", ["one", "none"])
async def test_what_was_missed_runs_once_or_not_at_all(catch_up: str) -> None:
    async with timer_rig() as rig:
        first = await rig.timers()
        job = await rig.add(first, catchUp=catch_up)
        first.close()
        rig.now += 5 * HOUR + GRACE_MS + 1  # five times are over
        second = await rig.timers()
        rig.now += SPREAD_MS
        second.scheduler.start_due()
        if catch_up == "none":
            await until(lambda: second.scheduler.jobs[job.id].state.last_status == "skipped")
            assert rig.agent.asked == []
        else:
            await until(lambda: rig.agent.asked)
            second.scheduler.start_due()
            assert len(rig.agent.asked) == 1
        assert second.scheduler.jobs[job.id].state.next_run_at_ms == job.created_at_ms + 6 * HOUR


async def test_a_clock_that_jumps_on_lets_what_was_missed_run_spread() -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        await rig.add(timers)
        rig.now += 9 * HOUR  # the host slept
        timers.scheduler.start_due()
        rig.now += SPREAD_MS
        timers.scheduler.start_due()
        await until(lambda: rig.agent.asked)
        assert len(rig.agent.asked) == 1
        rig.now -= 4 * HOUR  # and it is set back: nothing begins anew
        timers.scheduler.start_due()
        assert timers.scheduler.in_flight == 1


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "started anew"])
async def test_a_clock_that_was_far_ahead_and_is_set_back_leaves_no_job_behind(
    restarts: bool,
) -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        jobs = [await rig.add(timers), await rig.add(timers, catchUp="none")]
        once = await rig.add(timers, schedule={"kind": "at", "at": iso(rig.now + 3 * HOUR)})
        planned = jobs[0].created_at_ms + HOUR
        scheduler = timers.scheduler
        rig.now += 9 * HOUR  # the clock is ahead: all was missed
        scheduler.start_due()
        await until(lambda: scheduler.jobs[jobs[1].id].state.last_status == "skipped")
        rig.now += SPREAD_MS
        scheduler.start_due()
        await turn_of(rig.agent, 2)
        assert {each["run"].split(":")[1] for each in rig.agent.asked} == {jobs[0].id, once.id}
        for turn in list(rig.agent.turns):
            rig.agent.ends(TurnOutcome("final", Final("done")), turn)
        await until(lambda: scheduler.in_flight == 0)
        assert once.id not in scheduler.jobs, "it has run"
        rig.now = planned - 30_000  # and is set back
        if restarts:
            timers = await rig.timers()
            scheduler = timers.scheduler
        scheduler.start_due()
        await until(lambda: scheduler.in_flight == 0)
        assert {each.state.next_run_at_ms for each in scheduler.jobs.values()} == {planned}
        rig.now = planned
        scheduler.start_due()
        again = [(await turn_of(rig.agent, number))["run"] for number in (3, 4)]
        # The time of one of them has had a run already, which this one is not taken for.
        assert sorted(again) == sorted(
            [f"cron:{jobs[0].id}:{planned}:{planned:x}", f"cron:{jobs[1].id}:{planned}"]
        )


async def test_as_many_runs_at_the_same_time_as_configured() -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        timers.configure(CronConfig(max_concurrent_runs=2))
        for _ in range(4):
            await rig.add(timers)
        rig.now += HOUR
        timers.scheduler.start_due()
        await until(lambda: len(rig.agent.asked) == 2)
        timers.scheduler.start_due()
        assert (timers.scheduler.in_flight, timers.scheduler.is_full) == (2, True)
        rig.agent.answers("done")
        await until(lambda: len(rig.agent.asked) == 3)


async def test_jobs_run_in_the_order_of_their_times_so_that_none_waits_for_ever() -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        timers.configure(CronConfig(max_concurrent_runs=1))
        often = {"kind": "every", "everyMs": 10_000}
        jobs = [await rig.add(timers, schedule=often) for _ in range(3)]
        rig.now += 10_000
        timers.scheduler.start_due()
        order = []
        for number in range(1, 7):
            order.append((await turn_of(rig.agent, number))["run"].split(":")[1])
            rig.now += 10_000  # the job is due again when its run ends
            rig.agent.answers("done")
        assert order == [job.id for job in jobs] * 2


async def test_nothing_is_computed_of_jobs_for_which_there_is_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        timers.configure(CronConfig(max_concurrent_runs=2))
        for _ in range(20):
            await rig.add(timers, schedule={"kind": "cron", "expr": "* * * * *"})
        asked: list[str] = []

        def counted(job: ScheduledJob, **more: Any) -> Due:
            asked.append(job.id)
            return due(job, **more)

        monkeypatch.setattr("runtime.gateway.cron.scheduler.due", counted)
        rig.now += 60_000
        timers.scheduler.start_due()
        await until(lambda: len(rig.agent.asked) == 2)
        for _ in range(5):
            timers.scheduler.start_due()
        assert len(asked) == 2


async def test_a_job_that_cannot_begin_fails_once_and_is_not_tried_for_ever() -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        job = await rig.add(timers, sessionTarget="session:bad key")
        rig.now += HOUR
        timers.scheduler.start_due()
        await until(lambda: timers.scheduler.log.of(job.id))
        (entry,) = timers.scheduler.log.of(job.id)
        assert (entry.status, "white space" in str(entry.error)) == ("error", True)


async def test_an_event_for_the_main_session_waits_or_wakes() -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        event: dict[str, Any] = {"kind": "systemEvent", "text": "tea"}
        main = {"sessionTarget": "main", "payload": event, "delivery": None}
        later = await rig.add(timers, **main, wakeMode="next-heartbeat")
        once = {"kind": "at", "at": iso(rig.now + HOUR)}
        now = await rig.add(timers, **main, schedule=once)
        rig.now += HOUR
        timers.scheduler.start_due()
        await until(lambda: rig.agent.asked)
        await until(lambda: timers.scheduler.in_flight == 0)
        assert "tea" in rig.agent.asked[0]["text"]
        session = await rig.rig.parts.sessions.open("agent:echo:main", "echo", 1)
        assert [each.role for each in session.entries] == ["notice"]
        assert [now.id in timers.scheduler.jobs, later.id in timers.scheduler.jobs] == [False, True]
        assert timers.scheduler.log.of(now.id)[0].status == "ok"


async def test_nothing_begins_where_jobs_are_switched_off() -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        await rig.add(timers, payload=TURN)
        timers.configure(CronConfig(enabled=False))
        rig.now += HOUR
        timers.scheduler.start_due()
        assert timers.scheduler.in_flight == 0
        timers.configure(CronConfig())
        await until(lambda: rig.agent.asked)


async def test_a_job_that_is_due_on_a_full_disk_begins_once_there_is_room() -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        job = await rig.add(timers)
        scheduler, perform = timers.scheduler, timers.links.perform
        disk = FullDisk(rig.rig.parts.intake.journal)
        rig.now += HOUR
        scheduler.start_due()
        other = scheduler.save(replace(job, id="other"), "added")
        with pytest.raises(RemoteError, match=r"disk full.*it is done once there is room again"):
            await perform(other)
        with pytest.raises(RemoteError, match="disk full"):
            await perform(scheduler.begin(scheduler.jobs["other"], "by-hand"))
        assert rig.agent.asked == []
        assert scheduler.in_flight == 2
        disk.free()
        runs = [await turn_of(rig.agent, number) for number in (1, 2)]
        planned = f"cron:{job.id}:{job.state.next_run_at_ms}"
        assert {each["run"] for each in runs} == {planned, "by-hand"}
        for turn in list(rig.agent.turns):
            rig.agent.ends(TurnOutcome("final", Final("done")), turn)
        await until(lambda: scheduler.in_flight == 0)
        assert {each.status for each in scheduler.log.of()} == {"ok"}


@pytest.mark.parametrize("what", ["removed", "changed"])
async def test_a_job_that_is_changed_while_its_id_is_looked_up_stays_so(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        event = {"kind": "systemEvent", "text": "tea"}
        job = await rig.add(timers, sessionTarget="main", payload=event, delivery=None)
        scheduler, journal = timers.scheduler, rig.rig.parts.intake.journal
        assert journal is not None
        looked, go_on, run_of = asyncio.Event(), asyncio.Event(), journal.run_of

        async def wait(id: str) -> Any:
            looked.set()
            await go_on.wait()
            return await run_of(id)

        monkeypatch.setattr(journal, "run_of", wait)
        rig.now += HOUR
        scheduler.start_due()
        await looked.wait()
        if what == "removed":
            await scheduler.remove(job)
        else:
            await scheduler.save(replace(job, enabled=False), "updated")
        go_on.set()
        await until(lambda: scheduler.in_flight == 0)
        assert [each.enabled for each in scheduler.jobs.values()] == [False] * (what == "changed")
        assert rig.agent.asked == []
        assert scheduler.log.of() == []

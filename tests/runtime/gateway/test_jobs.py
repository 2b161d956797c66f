"""Jobs: counted until they are done, waited for and cancelled."""

from __future__ import annotations

import asyncio
import inspect

from structlog.testing import capture_logs

from runtime.gateway.jobs import Jobs
from tests.support.until import until


async def test_a_job_is_counted_until_it_is_done() -> None:
    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        jobs = Jobs(tasks)
        assert await jobs.finish(0)  # nothing runs
        jobs.start(_wait(done))
        jobs.begin()
        assert len(jobs) == 2
        assert not await jobs.finish(0.01)
        done.set()
        jobs.end()
        assert await jobs.finish(5)
        assert len(jobs) == 0


async def test_a_job_without_a_task_holds_up_the_finish_alone() -> None:
    async with asyncio.TaskGroup() as tasks:
        jobs = Jobs(tasks)
        jobs.begin()
        finishing = tasks.create_task(jobs.finish(5))
        jobs.start(_wait(_set()))
        await asyncio.sleep(0)
        assert not finishing.done()
        jobs.end()
        assert await finishing


async def test_the_end_cancels_what_is_left() -> None:
    async with asyncio.TaskGroup() as tasks:
        jobs = Jobs(tasks)
        jobs.start(_wait(asyncio.Event()))
        jobs.cancel()
    assert len(jobs) == 0


async def test_a_fault_of_a_job_is_logged_and_ends_no_other() -> None:
    done = asyncio.Event()
    with capture_logs() as logged:
        async with asyncio.TaskGroup() as tasks:
            jobs = Jobs(tasks)
            jobs.start(_wait(done))
            jobs.start(_fail())
            await until(lambda: len(jobs) == 1)
            done.set()
            assert await jobs.finish(5)
    (line,) = logged
    assert (line["event"], line["job"], line["log_level"]) == ("a job failed", "_fail", "error")


async def test_a_job_that_is_cancelled_before_it_began_is_closed() -> None:
    async with asyncio.TaskGroup() as tasks:
        jobs = Jobs(tasks)
        job = _wait(asyncio.Event())
        jobs.start(job)
        jobs.cancel()
    assert inspect.getcoroutinestate(job) == inspect.CORO_CLOSED


async def _fail() -> None:
    raise ValueError


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event

"""Work beside the supervision ends with it, and never ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import structlog

from runtime.supervisor.background import Background, run_optional

pytestmark = pytest.mark.virtual_time


async def fail() -> None:
    raise OSError("no inotify left")


async def test_an_exception_of_optional_work_is_logged_and_not_raised() -> None:
    with structlog.testing.capture_logs() as logs:
        await run_optional("watching", fail())
    assert [(line["event"], line["what"]) for line in logs] == [
        ("optional work failed", "watching")
    ]


async def test_optional_work_can_be_cancelled() -> None:
    task = asyncio.create_task(run_optional("watching", asyncio.Event().wait()))
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_what_runs_at_the_end_is_cancelled_and_waited_for() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1.0)
            ended.append("work")

    async with Background() as background:
        background.start("work", work())
        await asyncio.sleep(1.0)
        assert ended == []
    assert ended == ["work"]


async def test_a_failure_ends_no_other_work() -> None:
    done = asyncio.Event()

    async def later() -> None:
        await asyncio.sleep(1.0)
        done.set()

    with structlog.testing.capture_logs() as logs:
        async with Background() as background:
            background.start("later", later())
            background.start("failing", fail())
            async with asyncio.timeout(2.0):
                await done.wait()
    assert [line["what"] for line in logs] == ["failing"]


async def test_nothing_is_begun_before_it_is_entered_or_after_the_end() -> None:
    begun: list[str] = []

    async def work() -> None:
        begun.append("work")

    background = Background()
    background.start("too early", work())
    async with background:
        await asyncio.sleep(1.0)
    background.start("too late", work())
    await asyncio.sleep(1.0)
    assert begun == []


async def returns() -> None:
    await asyncio.sleep(1.0)


async def fails() -> None:
    await asyncio.sleep(1.0)
    raise OSError("no inotify left")


@pytest.mark.parametrize(("helper", "why"), [(returns, "it returned"), (fails, "no inotify left")])
async def test_the_end_of_a_helper_is_a_warning(
    helper: Callable[[], Coroutine[Any, Any, None]], why: str
) -> None:
    async with Background() as background:
        background.start_permanent("watching", helper())
        background.start_permanent("others", asyncio.Event().wait())
        await asyncio.sleep(0.5)
        assert background.warnings == []
        await asyncio.sleep(1.0)
        (warning,) = background.warnings
        assert warning.startswith("watching has ended")
        assert why in warning
    assert len(background.warnings) == 1  # those that the end cancels are no news

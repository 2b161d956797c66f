"""A timeout means the same in every task and on every interpreter."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from ipc import timeouts

# Both on every interpreter: the library's own, where it is right, and ours, where it is not.
MAKERS = {
    "in use": timeouts.timeout,
    "ours": lambda delay: timeouts.Timeout(
        None if delay is None else asyncio.get_running_loop().time() + delay
    ),
}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
Make = Callable[[float | None], asyncio.Timeout]


async def expire(make: Make) -> None:
    with pytest.raises(TimeoutError):
        async with make(0.01):
            await asyncio.sleep(3600)


async def in_an_ordinary_task(make: Make) -> None:
    await expire(make)


async def while_it_cleans_up_after_a_cancellation(make: Make) -> None:
    async def life() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await expire(make)

    task = asyncio.create_task(life())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def after_a_task_group_that_failed(make: Make) -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
    await expire(make)


async def inside_another_that_expires_later(make: Make) -> None:
    async with make(3600):
        await expire(make)


PLACES = [
    in_an_ordinary_task,
    while_it_cleans_up_after_a_cancellation,
    after_a_task_group_that_failed,
    inside_another_that_expires_later,
]


@makers
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.virtual_time
async def test_a_timeout_expires(place: Callable[[Make], Awaitable[None]], make: Make) -> None:
    await place(make)


@makers
async def test_a_cancellation_from_outside_is_none_of_its_own(make: Make) -> None:
    async def life() -> None:
        async with make(3600):
            await asyncio.sleep(3600)

    task = asyncio.create_task(life())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@makers
@pytest.mark.virtual_time
async def test_a_cancellation_beside_the_timeout_is_passed_on(make: Make) -> None:
    async def life() -> None:
        async with make(1):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                task.cancel()
                raise

    task = asyncio.create_task(life())
    with pytest.raises(asyncio.CancelledError):
        await task


@makers
async def test_without_a_limit_nothing_expires(make: Make) -> None:
    async with make(None) as limit:
        await asyncio.sleep(0)
    assert not limit.expired()


@makers
async def test_what_fails_inside_comes_out(make: Make) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with make(1):
            raise ValueError("mine")


@pytest.mark.virtual_time
async def test_a_timeout_may_be_a_time_of_the_loop() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        async with timeouts.timeout_at(loop.time() + 5):
            await asyncio.sleep(3600)
    assert loop.time() == pytest.approx(5)


@pytest.mark.virtual_time
async def test_tasks_that_ignore_their_cancellation_are_waited_for_until_the_deadline() -> None:
    async def sleeps() -> None:
        await asyncio.sleep(3600)

    async def deaf() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(10)
                return

    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(sleeps()), asyncio.create_task(deaf())]
    await asyncio.sleep(0)
    await timeouts.cancel_all(tasks, loop.time() + 5)
    assert [task.done() for task in tasks] == [True, False]
    assert loop.time() == pytest.approx(5)
    await timeouts.cancel_all([], None)
    await asyncio.wait(tasks)

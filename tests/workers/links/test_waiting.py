"""Who waits for a number is woken when it is reached, or cancelled."""

from __future__ import annotations

import asyncio

import pytest

from workers.links.backlog import Backlog
from workers.links.waiting import Goals, WaitingEmitters


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_each_goal_is_woken_when_its_number_is_reached() -> None:
    goals, woken = Goals(), []

    async def wait(number: int) -> None:
        await goals.wait(number)
        woken.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in (5, 2, 9, 2)]
    await turn()
    goals.reach(1)
    await turn()
    assert woken == []
    goals.reach(5)
    await turn()
    assert woken == [2, 2, 5]
    goals.reach(9)
    await asyncio.gather(*tasks)


async def test_a_cancelled_waiter_is_skipped() -> None:
    goals = Goals()
    gone, there = (asyncio.create_task(goals.wait(1)) for _ in range(2))
    await turn()
    gone.cancel()
    await turn()
    goals.reach(1)
    await there
    assert gone.cancelled()


async def test_all_that_wait_or_will_wait_are_cancelled_at_the_end() -> None:
    goals = Goals()
    waits = asyncio.create_task(goals.wait(1))
    await turn()
    goals.cancel()
    for task in (waits, asyncio.create_task(goals.wait(1))):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_only_as_many_emitters_are_woken_as_find_room() -> None:
    backlog = Backlog(max_messages=2)
    emitters = WaitingEmitters(backlog)
    for _ in range(2):
        backlog.append(b"{}", 0)
    tasks = [asyncio.create_task(emitters.wait()) for _ in range(3)]
    await turn()
    backlog.next_pack()
    backlog.ack(1)
    emitters.wake()
    await turn()
    assert [task.done() for task in tasks] == [True, False, False]
    emitters.cancel()
    await asyncio.wait(tasks)
    assert tasks[2].cancelled()

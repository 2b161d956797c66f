"""The work of a key is done once, whatever the order of calls, failures and time."""

from __future__ import annotations

import asyncio

import pytest

from ipc.idempotency import Once


class Refused(Exception):
    """What the work failed with."""


class Interrupted(Exception):
    """What those get who waited for work that was cancelled."""


class Platform:
    """Counts what was really sent."""

    def __init__(self) -> None:
        self.count = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: BaseException | None = None

    async def send(self) -> str:
        self.count += 1
        count = self.count
        await self.gate.wait()
        if self.error:
            raise self.error
        return f"m{count}"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_same_key_is_sent_once() -> None:
    results, platform = Once(Clock(), Interrupted), Platform()
    first = await results.once("k", platform.send)
    assert await results.once("k", platform.send) is first
    assert platform.count == 1


async def test_a_key_in_flight_shares_its_result() -> None:
    results, platform = Once(Clock(), Interrupted), Platform()
    platform.gate.clear()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(results.once("k", platform.send)) for _ in range(3)]
        await asyncio.sleep(0)
        platform.gate.set()
    assert platform.count == 1
    assert {task.result() for task in asked} == {"m1"}


async def test_a_failed_send_may_be_tried_again() -> None:
    results, platform = Once(Clock(), Interrupted), Platform()
    platform.error = Refused("no")
    with pytest.raises(Refused):
        await results.once("k", platform.send)
    platform.error = None
    assert (await results.once("k", platform.send)) == "m2"


async def test_callers_that_share_a_failing_send_get_its_error() -> None:
    results, platform = Once(Clock(), Interrupted), Platform()
    platform.gate.clear()
    platform.error = Refused("no")
    first = asyncio.create_task(results.once("k", platform.send))
    second = asyncio.create_task(results.once("k", platform.send))
    await asyncio.sleep(0)
    platform.gate.set()
    answers = await asyncio.gather(first, second, return_exceptions=True)
    assert [str(each) for each in answers] == ["no", "no"]
    assert platform.count == 1


async def test_one_caller_that_gives_up_leaves_the_result_to_the_others() -> None:
    results, platform = Once(Clock(), Interrupted), Platform()
    platform.gate.clear()
    first = asyncio.create_task(results.once("k", platform.send))
    await asyncio.sleep(0)
    second = asyncio.create_task(results.once("k", platform.send))
    await asyncio.sleep(0)
    second.cancel()
    platform.gate.set()
    assert (await first) == "m1"
    assert (await results.once("k", platform.send)) == "m1"
    await asyncio.gather(second, return_exceptions=True)


async def test_callers_that_wait_get_the_end_of_a_stopped_send() -> None:
    results, platform = Once(Clock(), Interrupted), Platform()
    platform.gate.clear()
    first = asyncio.create_task(results.once("k", platform.send))
    second = asyncio.create_task(results.once("k", platform.send))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(Interrupted):
        await second
    await asyncio.gather(first, return_exceptions=True)


async def test_a_key_is_forgotten_after_its_time() -> None:
    clock, platform = Clock(), Platform()
    results = Once(clock, Interrupted, keep=300)
    await results.once("k", platform.send)
    clock.now = 299.9
    await results.once("k", platform.send)
    assert platform.count == 1
    clock.now = 300.0
    await results.once("k", platform.send)
    assert platform.count == 2


async def test_the_oldest_keys_give_way_beyond_the_bound() -> None:
    results, platform = Once(Clock(), Interrupted, max_keys=3), Platform()
    for number in range(10):
        await results.once(f"k{number}", platform.send)
    assert len(results) <= 4
    await results.once("k9", platform.send)
    assert platform.count == 10
    await results.once("k0", platform.send)
    assert platform.count == 11

"""Each key is sent once, whatever the order of calls, failures and time."""

from __future__ import annotations

import asyncio

import pytest

from workers.errors import SendFailed
from workers.messages import Sent
from workers.process.sends import Sends


class Platform:
    """Counts what was really sent."""

    def __init__(self) -> None:
        self.count = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: BaseException | None = None

    async def send(self) -> Sent:
        self.count += 1
        count = self.count
        await self.gate.wait()
        if self.error:
            raise self.error
        return Sent(id=f"m{count}", chat="room", ts=1)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_same_key_is_sent_once() -> None:
    sends, platform = Sends(Clock()), Platform()
    first = await sends.once("k", platform.send)
    assert await sends.once("k", platform.send) is first
    assert platform.count == 1


async def test_a_key_in_flight_shares_its_result() -> None:
    sends, platform = Sends(Clock()), Platform()
    platform.gate.clear()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(sends.once("k", platform.send)) for _ in range(3)]
        await asyncio.sleep(0)
        platform.gate.set()
    assert platform.count == 1
    assert {task.result().id for task in asked} == {"m1"}


async def test_a_failed_send_may_be_tried_again() -> None:
    sends, platform = Sends(Clock()), Platform()
    platform.error = SendFailed("no")
    with pytest.raises(SendFailed):
        await sends.once("k", platform.send)
    platform.error = None
    assert (await sends.once("k", platform.send)).id == "m2"


async def test_who_shares_a_failing_send_sees_its_error() -> None:
    sends, platform = Sends(Clock()), Platform()
    platform.gate.clear()
    platform.error = SendFailed("no")
    first = asyncio.create_task(sends.once("k", platform.send))
    second = asyncio.create_task(sends.once("k", platform.send))
    await asyncio.sleep(0)
    platform.gate.set()
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert [str(each) for each in results] == ["no", "no"]
    assert platform.count == 1


async def test_one_caller_that_gives_up_leaves_the_result_to_the_others() -> None:
    sends, platform = Sends(Clock()), Platform()
    platform.gate.clear()
    first = asyncio.create_task(sends.once("k", platform.send))
    await asyncio.sleep(0)
    second = asyncio.create_task(sends.once("k", platform.send))
    await asyncio.sleep(0)
    second.cancel()
    platform.gate.set()
    assert (await first).id == "m1"
    assert (await sends.once("k", platform.send)).id == "m1"
    await asyncio.gather(second, return_exceptions=True)


async def test_a_sender_that_is_stopped_tells_those_who_wait() -> None:
    sends, platform = Sends(Clock()), Platform()
    platform.gate.clear()
    first = asyncio.create_task(sends.once("k", platform.send))
    second = asyncio.create_task(sends.once("k", platform.send))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(SendFailed, match="stopping"):
        await second
    await asyncio.gather(first, return_exceptions=True)


async def test_a_key_is_forgotten_after_its_time() -> None:
    clock, platform = Clock(), Platform()
    sends = Sends(clock, keep=300)
    await sends.once("k", platform.send)
    clock.now = 299.9
    await sends.once("k", platform.send)
    assert platform.count == 1
    clock.now = 300.0
    await sends.once("k", platform.send)
    assert platform.count == 2


async def test_the_oldest_keys_give_way_beyond_the_bound() -> None:
    sends, platform = Sends(Clock(), max_keys=3), Platform()
    for number in range(10):
        await sends.once(f"k{number}", platform.send)
    assert len(sends) <= 4
    await sends.once("k9", platform.send)
    assert platform.count == 10
    await sends.once("k0", platform.send)
    assert platform.count == 11

from __future__ import annotations

import asyncio

import pytest

from runtime.supervisor.accounts.start_queue import StartQueue, Withdrawn

pytestmark = pytest.mark.virtual_time


class Queue:
    """Sends names to a gate and remembers in which order they came in."""

    def __init__(self, limit: int) -> None:
        self.gate = StartQueue(limit, patience=2.0)
        self.entered: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def send(self, *names: str, urgent: bool = False) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._enter(name, urgent))
        await turn()

    async def _enter(self, name: str, urgent: bool) -> None:
        await self.gate.acquire(name, urgent=urgent)
        self.entered.append(name)

    async def leave(self, *names: str) -> None:
        for name in names:
            self.gate.release(name)
        await turn()


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_only_so_many_start_at_once_and_the_others_in_their_order() -> None:
    queue = Queue(2)
    await queue.send("a", "b", "c", "d")
    assert queue.entered == ["a", "b"]
    await queue.leave("b")
    assert queue.entered == ["a", "b", "c"]
    await queue.leave("a", "c")
    assert queue.entered == ["a", "b", "c", "d"]
    queue.gate.close()


async def test_a_start_that_hangs_occupies_its_place_only_for_a_time() -> None:
    queue = Queue(1)
    await queue.send("hangs", "next")
    await asyncio.sleep(1.9)
    assert queue.entered == ["hangs"]
    await asyncio.sleep(0.2)
    assert queue.entered == ["hangs", "next"]
    queue.gate.close()


async def test_leaving_twice_gives_back_one_place() -> None:
    queue = Queue(1)
    await queue.send("a", "b", "c")
    await queue.leave("a", "a", "stranger")
    assert queue.entered == ["a", "b"]
    queue.gate.close()
    queue.gate.withdraw("c")
    with pytest.raises(Withdrawn):
        await queue.tasks["c"]


async def test_operators_go_ahead_of_the_others_in_their_own_order() -> None:
    queue = Queue(1)
    await queue.send("a", "b")
    await queue.send("first", "second", urgent=True)
    for name in ("a", "first", "second", "b"):
        await queue.leave(name)
    assert queue.entered == ["a", "first", "second", "b"]


async def test_a_waiting_start_can_be_moved_to_the_front() -> None:
    queue = Queue(1)
    await queue.send("a", "b", "c", "d")
    queue.gate.to_front("d")
    queue.gate.to_front("d")
    queue.gate.to_front("nobody")
    for name in ("a", "d", "b", "c"):
        await queue.leave(name)
    assert queue.entered == ["a", "d", "b", "c"]


async def test_one_that_waits_can_be_sent_away_and_keeps_no_place() -> None:
    queue = Queue(1)
    await queue.send("a", "b", "c")
    queue.gate.withdraw("b")
    queue.gate.withdraw("a")  # inside already: it stays there
    with pytest.raises(Withdrawn, match="while it waited"):
        await queue.tasks["b"]
    await queue.leave("b")
    assert queue.entered == ["a"]
    await queue.leave("a")
    assert queue.entered == ["a", "c"]
    queue.gate.close()


async def test_a_cancelled_one_leaves_the_queue() -> None:
    queue = Queue(1)
    await queue.send("a", "b", "c")
    queue.tasks["b"].cancel()
    await turn()
    await queue.leave("a")
    assert queue.entered == ["a", "c"]
    queue.gate.close()


async def test_a_place_that_comes_together_with_the_cancellation_is_given_back() -> None:
    queue = Queue(1)
    await queue.send("a", "b", "c")
    queue.gate.release("a")  # b's turn has come …
    queue.tasks["b"].cancel()  # … and it is cancelled before it knows
    await turn()
    assert queue.entered == ["a", "c"]
    queue.gate.close()


async def test_a_free_place_skips_cancelled_starts() -> None:
    queue = Queue(1)
    await queue.send("a", "b", "c", "d")
    queue.tasks["b"].cancel()
    queue.tasks["c"].cancel()
    queue.gate.withdraw("c")
    queue.gate.release("a")
    await turn()
    assert queue.entered == ["a", "d"]
    assert queue.tasks["b"].cancelled()
    assert queue.tasks["c"].cancelled()
    queue.gate.close()


async def test_a_name_that_comes_back_holds_one_place_for_its_full_time() -> None:
    queue = Queue(2)
    await queue.send("a")
    await asyncio.sleep(1.5)
    await queue.send("a")
    await queue.send("b", "c")
    assert queue.entered == ["a", "a", "b"]
    await asyncio.sleep(1.0)  # the first place of "a" would have ended
    assert queue.entered == ["a", "a", "b"]
    await queue.leave("a")
    assert queue.entered == ["a", "a", "b", "c"]
    queue.gate.close()


async def test_paced_starts_come_one_by_one_but_no_operator_waits_for_the_pace() -> None:
    queue = Queue(8)
    queue.gate.interval = 0.5
    await queue.send("a", "b", "c")
    await queue.send("asked for", urgent=True)
    assert queue.entered == ["asked for"]
    for count in range(1, 4):
        await asyncio.sleep(0.51)
        assert len(queue.entered) == 1 + count
    assert queue.entered == ["asked for", "a", "b", "c"]
    queue.gate.close()


async def test_one_that_is_hastened_need_not_wait_for_the_pace() -> None:
    queue = Queue(8)
    queue.gate.interval = 100.0
    await queue.send("a", "b")
    queue.gate.to_front("b")
    await turn()
    assert queue.entered == ["b"]
    queue.gate.withdraw("a")
    with pytest.raises(Withdrawn):
        await queue.tasks["a"]
    queue.gate.close()


async def test_when_the_pace_ends_all_may_start_whom_there_is_room_for() -> None:
    queue = Queue(3)
    queue.gate.interval = 100.0
    await queue.send("a", "b", "c", "d")
    queue.gate.interval = 100.0  # the same again starts no new wait
    queue.gate.interval = 0.0
    await turn()
    assert queue.entered == ["a", "b", "c"]
    await queue.leave("a")
    assert queue.entered == ["a", "b", "c", "d"]
    queue.gate.close()


async def test_a_full_gate_waits_for_a_place_and_not_for_the_time() -> None:
    queue = Queue(1)
    queue.gate.interval = 0.5
    await queue.send("a", "b")
    await asyncio.sleep(1.0)
    assert queue.entered == ["a"]
    await queue.leave("a")
    assert queue.entered == ["a", "b"]
    queue.gate.close()

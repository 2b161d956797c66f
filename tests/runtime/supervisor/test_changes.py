"""Those that follow a child: callers that wait, and one callback, on virtual time."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from ipc.frames.words import Phase
from runtime.supervisor.changes import Changes, next_try_at
from runtime.supervisor.child import Child, Process
from runtime.supervisor.lifecycle import Start
from runtime.supervisor.policy import Policy

pytestmark = pytest.mark.virtual_time


async def test_a_condition_that_holds_is_not_waited_for() -> None:
    assert await Changes("a", lambda: None).until(lambda: True, 0.0)


async def test_a_caller_is_woken_by_the_change_that_makes_its_condition_true() -> None:
    changes, seen = Changes("a", lambda: None), [0]
    waiting = asyncio.create_task(changes.until(lambda: seen[0] == 2, None))
    await asyncio.sleep(0)
    for _ in range(2):
        assert not waiting.done()
        seen[0] += 1
        changes.notify()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert await waiting


async def test_a_caller_gives_up_in_time_and_can_be_cancelled() -> None:
    changes = Changes("a", lambda: None)
    began = asyncio.get_running_loop().time()
    assert not await changes.until(lambda: False, 2.0)
    assert asyncio.get_running_loop().time() == began + 2.0
    waiting = asyncio.create_task(changes.until(lambda: False, None))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait([waiting])
    changes.notify()  # nobody waits any more


async def test_a_callback_that_fails_is_logged_and_wakes_the_callers_all_the_same() -> None:
    def fail() -> None:
        raise RuntimeError("no room")

    changes = Changes("irc:a", fail)
    ready: list[bool] = []
    waiting = asyncio.create_task(changes.until(lambda: bool(ready), None))
    await asyncio.sleep(0.1)
    ready.append(True)
    with structlog.testing.capture_logs() as logs:
        changes.notify()
    found = [(line["event"], line["child"]) for line in logs]
    assert found == [("callback of a change failed", "irc:a")]
    assert await waiting


async def test_the_next_try_is_the_time_of_day_and_what_is_left_of_the_wait() -> None:
    async def spawn(incarnation: int) -> Process:
        raise OSError("no")

    child = Child("a", Policy(initial=50.0, jitter=0.0), spawn)
    assert next_try_at(child) is None
    task = asyncio.create_task(child.run())
    child.post(Start())
    await asyncio.sleep(1.0)
    assert child.state.phase is Phase.BACKOFF
    first = next_try_at(child) or 0
    await asyncio.sleep(10.0)  # on the loop's clock only: the time of day stands still
    second = next_try_at(child) or 0
    assert first - second == pytest.approx(10_000, abs=2_000)
    task.cancel()
    await asyncio.wait([task])

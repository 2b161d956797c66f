"""The loop beside the tests, and waiting for a condition."""

from __future__ import annotations

import asyncio
import threading

import pytest

from workers.testing.loop_thread import LoopThread, wait_until


def test_a_coroutine_runs_on_another_thread_and_returns_here() -> None:
    loop = LoopThread()
    try:

        async def named() -> str:
            return threading.current_thread().name

        assert loop.run(named()) == "trunkline kit"
        assert loop.call(threading.get_ident) != threading.get_ident()
    finally:
        loop.close()


def test_what_takes_too_long_is_named_and_what_is_left_ends_with_the_loop() -> None:
    loop = LoopThread()
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def left_alone() -> None:
        asyncio.get_running_loop().left = asyncio.create_task(waits())  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    try:
        with pytest.raises(TimeoutError, match=r"waits takes longer than 0.01 s"):
            loop.run(waits(), 0.01)
        loop.run(left_alone())
    finally:
        loop.close()
    assert ended == ["cancelled", "cancelled"]


def test_a_condition_that_does_not_come_true_fails_with_its_sentence() -> None:
    values = iter([0, 0, 7])
    assert wait_until(lambda: next(values), "it is seven") == 7
    with pytest.raises(AssertionError, match=r"after 0.05 s: it is never so, but 3"):
        wait_until(lambda: False, lambda: f"it is never so, but {1 + 2}", 0.05)

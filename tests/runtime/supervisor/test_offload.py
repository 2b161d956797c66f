"""Slow work runs in one thread, in order, and does not hold up the end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from runtime.supervisor.offload import Offload


async def test_work_is_done_in_order_beside_the_loop() -> None:
    offload, done = Offload(), []
    go = threading.Event()

    def first() -> str:
        assert go.wait(10.0)
        done.append("first")
        return "1"

    one = asyncio.create_task(offload.run(first))
    two = asyncio.create_task(offload.run(done.append, "second"))
    await asyncio.sleep(0)
    go.set()
    assert await one == "1"
    await two
    assert done == ["first", "second"]
    offload.close()


async def test_what_work_raises_is_raised_where_it_is_awaited() -> None:
    offload = Offload()
    with pytest.raises(ZeroDivisionError):
        await offload.run(lambda: 1 / 0)
    offload.close()


async def test_what_waits_at_the_end_is_dropped() -> None:
    offload = Offload()
    begun, go = threading.Event(), threading.Event()

    def slow() -> bool:
        begun.set()
        return go.wait(10.0)

    runs = asyncio.create_task(offload.run(slow))
    waits = asyncio.create_task(offload.run(lambda: None))
    await asyncio.to_thread(begun.wait, 10.0)
    offload.close()
    with pytest.raises(asyncio.CancelledError):
        await waits
    go.set()
    assert await runs

"""The end of the supervisor: asked for once, hurried by a second request."""

from __future__ import annotations

import asyncio

import pytest

from runtime.supervisor.shutdown import Shutdown

pytestmark = pytest.mark.virtual_time


async def test_the_first_request_begins_the_end_and_only_once() -> None:
    begun: list[int] = []
    shutdown = Shutdown(lambda: begun.append(1))
    waiting = asyncio.create_task(shutdown.wait())
    await asyncio.sleep(1.0)
    assert not shutdown.begun
    shutdown.request("SIGTERM")
    await waiting
    shutdown.request("SIGTERM")
    assert (shutdown.begun, begun) == (True, [1])


async def test_work_is_waited_for_until_it_is_done() -> None:
    shutdown = Shutdown(lambda: None)
    shutdown.request("SIGTERM")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await shutdown.unless_hurried(asyncio.sleep(5.0))
    assert loop.time() - began == pytest.approx(5.0)


@pytest.mark.parametrize("when", [0.0, 2.0])
async def test_a_second_request_cancels_the_work_whenever_it_comes(when: float) -> None:
    shutdown = Shutdown(lambda: None)
    shutdown.request("SIGTERM")
    loop = asyncio.get_running_loop()
    loop.call_later(when, shutdown.request, "SIGTERM")
    began = loop.time()
    await shutdown.unless_hurried(asyncio.sleep(5.0))
    assert loop.time() - began == pytest.approx(when)

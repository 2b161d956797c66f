"""The suite works, loses nothing, and the hot path has not become dear.

Ratios of CPU per operation within one run, with bounds that noise does not reach: a machine
that is busy makes both sides dear.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bench.load import native
from bench.measuring import windows
from bench.measuring.figures import Spread
from bench.measuring.windows import Window
from bench.questions import QUESTIONS
from bench.systems.floor import Floor
from bench.systems.naive import Naive
from bench.systems.product import Product
from bench.systems.system import Order, System
from ipc.frames.websocket import event

pytestmark = pytest.mark.e2e

FLOOD = Order(workers=2, rate=-1, size=200)
LAST = '"method":"last-heartbeat"'


@asynccontextmanager
async def started(system: System) -> AsyncIterator[System]:
    await system.start()
    try:
        yield system
    finally:
        await system.stop()


async def flooded(system: System, seconds: float = 0.3) -> Window:
    if isinstance(system, Floor):
        system.sized(FLOOD)
    window = await windows.events(system, FLOOD, clients=2, seconds=seconds)
    await windows.settle()
    return window


@pytest.fixture(params=["native", "python"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both generators; the native one only where there is a compiler."""
    if request.param == "native" and shutil.which("cc") is None:
        pytest.skip("no cc: the native generator cannot be built")
    monkeypatch.setenv("BENCH_GENERATOR", request.param)
    native.generator.cache_clear()
    yield request.param
    native.generator.cache_clear()


async def test_the_generator_counts_what_the_product_says(generator: str) -> None:
    async with started(Product(2)) as product:
        paced = await windows.events(product, Order(2, 200, 200), clients=3, seconds=0.5)
        assert paced.result["generator"] == generator
        assert paced.rate == pytest.approx(400, rel=0.25)
        assert (paced.result["gaps"], paced.result["repeats"], paced.result["ended"]) == (0, 0, 0)
        assert 0 < paced.latency("p50") <= paced.latency("p99") <= paced.latency("max")
        assert paced.cpu_us["gateway"] > 0
        asked = await windows.requests(product, LAST, clients=2, depth=4, seconds=0.2)
        assert asked.count > 20
        assert asked.result["errors"] == 0
        came = await windows.connects(product, clients=2, seconds=0.3)
        assert came.count > 2


@asynccontextmanager
async def numbering(missing: int) -> AsyncIterator[int]:
    """Serve numbered events, of which one in two counts and one is missing; yield the port."""

    async def numbered(connection: ServerConnection) -> None:
        for seq in itertools.count(1):
            text = f"{seq:010} {time.monotonic_ns():019} hello"
            payload = {"presence": [{"text": "somebody"}, {"text": text}]}
            if seq != missing:
                frame = event(("tick", "presence")[seq % 2], payload, seq)
                await connection.send(frame, text=True)
            await asyncio.sleep(0.002)

    async with serve(numbered, "127.0.0.1", 0, compression=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def count_numbered(port: int) -> dict[str, Any]:
    options = ["--plain", "--event", "presence"]
    async with native.load("events", port, options, clients=2, seconds=0.3, warm=0.1) as running:
        running.go()
        await running.state("begin")
        await running.state("end")
        return await running.result()


async def test_the_generator_counts_events_that_are_numbered_per_client(generator: str) -> None:
    async with numbering(missing=0) as port:
        said = await count_numbered(port)
    assert said["generator"] == generator
    assert 10 < said["frames"] < 400
    assert said["latency"]["count"] == said["frames"]
    assert 0 < said["latency"]["p50Us"] < 1e6
    async with numbering(missing=7) as port:
        with pytest.raises(native.Lost, match=r'"gaps": ?2'):
            await count_numbered(port)


async def test_a_message_costs_the_gateway_a_bounded_multiple_of_the_floor() -> None:
    ratios, naive = [], []
    async with started(Floor()) as floor, started(Product(2)) as ours, started(Naive()) as simple:
        for _ in range(3):
            least, cost, most = [
                (await flooded(system)).cpu_us["gateway"] for system in (floor, ours, simple)
            ]
            ratios.append(cost / least)
            naive.append(most / cost)
    assert Spread.of(ratios).median < 15, f"times the floor: {ratios}"
    assert Spread.of(naive).median > 2, f"the naive design costs {naive} of us"


async def test_a_request_costs_the_gateway_far_less_than_the_naive_one() -> None:
    ratios = []
    async with started(Product(1)) as ours, started(Naive()) as simple:
        for _ in range(3):
            cost, most = [
                (await windows.requests(each, LAST, clients=4, depth=16, seconds=0.3)).cpu_us[
                    "gateway"
                ]
                for each in (ours, simple)
            ]
            ratios.append(most / cost)
    assert Spread.of(ratios).median > 1.5, f"the naive design costs {ratios} of us"


def test_every_question_says_what_it_asks() -> None:
    assert all(question.title for question in QUESTIONS.values())
    assert any(question.quick for question in QUESTIONS.values())

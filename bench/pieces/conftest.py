"""Fixtures of the microbenchmarks: a loop, and the running product."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import uvloop

from bench.systems.product import Product


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture(scope="session")
def product(loop: asyncio.Runner) -> Iterator[Product]:
    system = Product()
    loop.run(system.start())
    yield system
    loop.run(system.stop())

"""Measures one window of load on a system: the rate, and the CPU of every process."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Any

from bench.load.native import Lost, load
from bench.measuring.processes import cpu_ns
from bench.systems.system import Order, System

WARM = 0.2  # seconds before the window


@dataclass(frozen=True, slots=True)
class Window:
    """The result of one window. ``cpu_us`` is per operation, by group of processes."""

    rate: float  # operations per second: frames per client, requests, connects
    seconds: float
    count: int  # operations
    deliveries: int
    cpu_us: dict[str, float]
    result: dict[str, Any]  # the generator's own output

    def latency(self, name: str) -> float:
        """Return a percentile in milliseconds: p50, p99, p999, max, mean; NaN for no values."""
        found = self.result["latency"]
        return float(found[f"{name}Us"]) / 1e3 if found["count"] else math.nan


async def events(
    system: System,
    order: Order,
    *,
    clients: int = 1,
    seconds: float = 1.0,
    slow: int = 0,
    watch: str = "",
    options: tuple[str, ...] = (),
) -> Window:
    """Measure messages from ``system`` to ``clients`` clients; an operation is one message."""
    entry = system.entry()
    more: dict[str, Any] = {"slow": slow} if slow else {}
    more |= {"watch": watch} if watch else {}
    async with load(
        "events", entry.port, [*entry.words(), *options],
        clients=clients, seconds=seconds, warm=WARM, **more,
    ) as running:  # fmt: skip
        await system.emit(order)
        try:
            running.go()
            window = await _window(system, running, clients - slow)
        finally:
            await system.silence()
    if (closed := window.result["ended"] - window.result["slowEnded"]) > 0:
        raise Lost(f"{closed} of {clients} clients were closed ({window.result['closeCode']})")
    return window


async def requests(
    system: System, request: str, *, clients: int = 1, depth: int = 1, seconds: float = 1.0
) -> Window:
    """Send ``depth`` requests at a time on each connection; an operation is one answer."""
    entry = system.entry(events=False)
    async with load(
        "rpc", entry.port, entry.words(),
        clients=clients, depth=depth, seconds=seconds, warm=WARM, request=request,
    ) as running:  # fmt: skip
        running.go()
        return await _window(system, running, 1)


async def connects(system: System, *, clients: int = 1, seconds: float = 1.0) -> Window:
    """Connect and close repeatedly; an operation is one connection with its handshake."""
    entry = system.entry(events=False)
    async with load(
        "connect", entry.port, entry.words(), clients=clients, seconds=seconds, warm=WARM
    ) as running:
        running.go()
        return await _window(system, running, 1)


async def _window(system: System, running: Any, clients: int) -> Window:
    groups = system.processes().groups()
    begin = await running.state("begin")
    before = {name: sum(map(cpu_ns, pids)) for name, pids in groups.items()}
    end = await running.state("end")
    used = {name: sum(map(cpu_ns, pids)) - before[name] for name, pids in groups.items()}
    said = await running.result()
    used["client"] = said["cpuNs"]
    seconds = (end["ns"] - begin["ns"]) / 1e9
    count = said["connects"] or said["frames"] // clients
    cpu = {name: ns / 1e3 / count if count else 0.0 for name, ns in used.items()}
    return Window(count / seconds, seconds, count, said["frames"], cpu, said)


async def settle(seconds: float = 0.1) -> None:
    """Wait until the last messages have arrived, so that they disturb no other measurement."""
    await asyncio.sleep(seconds)

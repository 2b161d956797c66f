"""Measures the cost of the link to a worker alone: one message to it and back.

The same loop at both ends, nothing but the link between: ZeroMQ, with its two threads for
input and output, and a plain unix stream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import cast

from bench.measuring.figures import Spread, paired, percentile, table
from bench.measuring.processes import cpu_ns
from bench.questions.question import Found, Plan, Question
from bench.questions.rounds import times
from bench.systems.link_echo import PROOF
from bench.systems.programs import module
from bench.tied import spawn
from ipc.zeromq.router import Router
from tests.support.short_directory import ShortDirectory

MESSAGE = b"x" * 200


class _Stream(asyncio.Protocol):
    """Our end of the unix stream."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[None] = loop.create_future()
        self.answer: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.connected.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.answer.set_result(None)


async def _unix(count: int) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    with ShortDirectory() as place:
        stream = _Stream()
        server = await loop.create_unix_server(lambda: stream, f"{place}/s")
        echo = spawn(*module("link_echo", "unix", f"{place}/s"))
        await stream.connected

        async def trip() -> None:
            stream.answer = loop.create_future()
            stream.transport.write(MESSAGE)
            await stream.answer

        found = await _trips(trip, count, echo.pid)
        stream.transport.close()
        server.close()
        await asyncio.to_thread(echo.wait)
    return found


async def _zmq(count: int) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    with ShortDirectory() as place:
        answer: asyncio.Future[None] = loop.create_future()
        router = Router(f"ipc://{place}/s", PROOF, lambda peer, body: answer.set_result(None))
        echo = spawn(*module("link_echo", "zmq", f"{place}/s"))
        await answer

        async def trip() -> None:
            nonlocal answer
            answer = loop.create_future()
            router.send(b"echo#1", MESSAGE)
            await answer

        found = await _trips(trip, count, echo.pid)
        echo.kill()
        await asyncio.to_thread(echo.wait)
        router.close()
    return found


async def _trips(trip: Callable[[], Awaitable[None]], count: int, pid: int) -> tuple[float, float]:
    for _ in range(100):
        await trip()
    taken, cpu = [], cpu_ns(pid)
    for _ in range(count):
        began = time.perf_counter()
        await trip()
        taken.append(time.perf_counter() - began)
    return percentile(taken, 0.5) * 1e6, (cpu_ns(pid) - cpu) / count / 1e3


async def _ask(plan: Plan) -> Found:
    count = 3000 if plan.thorough else 1000
    found: dict[str, dict[str, list[float]]] = {
        name: {"p50Us": [], "cpuUs": []} for name in ("zmq", "unix")
    }
    for _ in range(plan.rounds):
        for name, measure in (("zmq", _zmq), ("unix", _unix)):
            middle, cpu = await measure(count)
            found[name]["p50Us"].append(middle)
            found[name]["cpuUs"].append(cpu)
    return {"links": found}


def _report(found: Found) -> str:
    links = found["links"]
    rows = [
        (name, str(Spread.of(each["p50Us"])), str(Spread.of(each["cpuUs"])))
        for name, each in links.items()
    ]
    ratio = times(paired(links["zmq"]["p50Us"], links["unix"]["p50Us"]))
    head = ("link", "there and back, p50 µs", "CPU of the far end, µs")
    return f"{table(head, rows)}\n\nZeroMQ takes {ratio} as long as a unix stream."


question = Question("The link to a worker, alone", _ask, _report, quick=False)

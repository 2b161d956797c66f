"""Measures the stream of figures to a client while many accounts talk, and its cost.

    python -m bench.figure_stream [--count 500] [--every 5] [--seconds 60]

Each account of a real daemon emits one message a second. A client subscribes as the console page
does: the status of accounts, and their figures every so many seconds, but neither messages nor
health. Then the same without it, so that the difference is what the client costs.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import msgspec
import uvloop

from bench.measuring.figures import table
from bench.measuring.processes import cpu_ns, must_measure
from bench.systems.product import Product
from tests.support.daemon import TOKEN
from tests.support.rawclient import RawClient

SETTLE_SECONDS = 12.0  # until all accounts have beaten twice


class Stream(msgspec.Struct, frozen=True):
    """``bytes_each`` a second to the client; shares of a core of the gateway, with and without."""

    accounts: int
    bytes_each: float
    frames: dict[str, int]
    with_client: float
    without: float


async def measure(count: int, every: float, seconds: float) -> Stream:
    """Run ``count`` accounts and return the measured stream."""
    rate = {f"w{number}": {"rate": 1} for number in range(count)}
    product = Product(count, channels={"source": {"accounts": rate}})
    await product.start()
    try:
        await asyncio.sleep(SETTLE_SECONDS)
        gateway = product.processes().gateway[0]
        without = await _share(gateway, seconds)
        client = await RawClient.open(f"ws://127.0.0.1:{product.daemon.port}")
        await client.hello(TOKEN)
        wanted = {"events": ["channel.status", "agent.status"], "health": False}
        figures = {"figures": {"everyMs": int(every * 1000)}}
        await client.call("events.subscribe", wanted | figures)
        sizes: dict[str, list[int]] = {}
        reading = asyncio.create_task(_read(client, sizes))
        used = await _share(gateway, seconds)
        reading.cancel()
        await client.close()
    finally:
        await product.stop()
    total = sum(map(sum, sizes.values()))
    frames = {name: len(each) for name, each in sizes.items()}
    return Stream(count, total / seconds, frames, used, without)


def report(found: Stream) -> str:
    """Return a table."""
    head = ("accounts", "bytes a second", "frames", "gateway, % of a core", "without the client")
    frames = ", ".join(f"{name} {count}" for name, count in sorted(found.frames.items()))
    row = (str(found.accounts), f"{found.bytes_each:.0f}", frames)
    return table(head, [(*row, f"{found.with_client:.1f}", f"{found.without:.1f}")])


async def _read(client: RawClient, sizes: dict[str, list[int]]) -> None:
    while True:
        data = await client.socket.recv()
        event = msgspec.json.decode(data).get("event", "answer")
        sizes.setdefault(event, []).append(len(data))


async def _share(pid: int, seconds: float) -> float:
    """Return the CPU use of a process over ``seconds``, in percent of a core."""
    before, began = cpu_ns(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (cpu_ns(pid) - before) / 1e7 / (time.monotonic() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.figure_stream", description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between figures")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each window")
    args = parser.parse_args()
    must_measure()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(report(runner.run(measure(args.count, args.every, args.seconds))))


if __name__ == "__main__":
    main()

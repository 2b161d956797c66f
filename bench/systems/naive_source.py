"""A worker of the naive design.

python -m bench.systems.naive_source SOCKET NAME
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import orjson
import uvloop
import zmq
import zmq.asyncio

from bench.systems.sources import Orders, Payloads


async def main(path: str, name: str) -> None:
    """Emit as ordered, answer calls."""
    dealer: Any = zmq.asyncio.Context.instance().socket(zmq.DEALER)
    dealer.setsockopt(zmq.ROUTING_ID, f"source:{name}".encode())
    dealer.connect(f"ipc://{path}")
    await dealer.send(orjson.dumps({"hello": name}))
    news = asyncio.Event()
    orders, payloads = Orders(news.set), Payloads(name)
    print("ready", flush=True)

    async def answer() -> None:
        while True:
            call = orjson.loads(await dealer.recv())
            payload = {"id": call["params"]["idempotencyKey"], "ts": int(time.time() * 1000)}
            await dealer.send(orjson.dumps({"answer": call["call"], "payload": payload}))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(answer())
        while True:
            while not orders.rate:
                news.clear()
                await news.wait()
            due = orders.due()
            for _ in range(due):
                await dealer.send(payloads.payload(orders.size))
            orders.emitted(max(0, due))
            await asyncio.sleep(orders.wait())


if __name__ == "__main__":
    try:
        uvloop.run(main(*sys.argv[1:]))
    except RuntimeError:
        sys.exit(0)

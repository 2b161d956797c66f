"""Measures the real daemon end to end: worker → gateway → client, and requests."""

from __future__ import annotations

import asyncio

from pytest_benchmark.fixture import BenchmarkFixture

from bench.load.receiver import Receiver, receiver
from bench.systems.product import Product, connect_request

COUNT = 10_000
IN_FLIGHT = 16


def test_worker_to_client(
    benchmark: BenchmarkFixture, loop: asyncio.Runner, product: Product
) -> None:
    """10,000 messages of 200 bytes from one account to one client in Python: all, in order."""
    key = product.keys[0]

    async def stream() -> Receiver:
        client = await receiver(product.daemon.port, connect_request().encode())
        enough = client.until(COUNT + 1)  # and the order itself, which went out
        await product.order(key, f"burst={COUNT} bytes=200")
        await enough
        client.transport.close()
        await client.ended
        return client

    client = benchmark.pedantic(lambda: loop.run(stream()), rounds=5, warmup_rounds=1)
    assert (client.frames, client.gaps, client.repeats) == (COUNT + 1, 0, 0)


def ask_all(loop: asyncio.Runner, product: Product, fields: str) -> int:
    """Ask ``COUNT`` / 10 times, 16 at a time on one connection; return the good answers."""

    async def run() -> int:
        client = await receiver(product.daemon.port, connect_request(()).encode())
        left, good = COUNT // 10, 0
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def request(number: int) -> bytes:
            text = fields.replace("@", f"{id(client)}-{number}")
            return f'{{"type":"req","id":"{number}",{text}}}'.encode()

        def answered(number: int, ok: bool) -> None:
            nonlocal left, good
            good += ok
            left -= 1
            if left >= IN_FLIGHT:
                client.ask(request(left))
            elif not left:
                done.set_result(None)

        client.on_answer = answered
        client.ask(*(request(number) for number in range(IN_FLIGHT)))
        await done
        client.transport.close()
        await client.ended
        return good

    return loop.run(run())


def test_requests_to_the_gateway(
    benchmark: BenchmarkFixture, loop: asyncio.Runner, product: Product
) -> None:
    """1,000 requests that the gateway itself answers."""
    fields = '"method":"last-heartbeat"'
    good = benchmark.pedantic(ask_all, (loop, product, fields), rounds=5, warmup_rounds=1)
    assert good == COUNT // 10


def test_requests_through_a_worker(
    benchmark: BenchmarkFixture, loop: asyncio.Runner, product: Product
) -> None:
    """1,000 requests that an account's plugin answers."""
    fields = (
        '"method":"send","params":{"channel":"source","accountId":"w0","to":"x",'
        '"message":"hello","idempotencyKey":"@"}'
    )
    good = benchmark.pedantic(ask_all, (loop, product, fields), rounds=5, warmup_rounds=1)
    assert good == COUNT // 10

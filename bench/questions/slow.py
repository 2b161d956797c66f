"""Measures the effect of one client that never reads on nine that do."""

from __future__ import annotations

import asyncio
import urllib.request

from bench.measuring import windows
from bench.measuring.figures import Spread, short, table
from bench.questions.question import Found, Plan, Question
from bench.questions.rounds import times
from bench.systems.product import Product
from bench.systems.system import Order


async def _ask(plan: Plan) -> Found:
    product = Product()
    rates: dict[str, list[float]] = {"without": [], "with": []}
    closed = []
    seconds = max(1.0, plan.seconds)
    await product.start()
    try:
        for _ in range(plan.rounds):
            for name, slow in (("without", 0), ("with", 1)):
                window = await windows.events(
                    product, Order(4, -1, 200), clients=9 + slow, slow=slow, seconds=seconds
                )
                rates[name].append(window.rate)
                await windows.settle()
                if slow:
                    closed.append(await asyncio.to_thread(_closed, product))
    finally:
        await product.stop()
    return {"rates": rates, "closed": closed}


def _closed(product: Product) -> int:
    """Return how many slow clients the gateway has closed.

    The client cannot tell: it does not read, and would see its end only after megabytes.
    """
    url = f"http://127.0.0.1:{product.daemon.port}/metrics"
    with urllib.request.urlopen(url) as page:
        for line in page.read().decode().splitlines():
            if line.startswith("trunkline_slow_clients_total "):
                return int(float(line.split()[1]))
    raise RuntimeError("the gateway does not count slow clients")


def _report(found: Found) -> str:
    pairs = zip(found["rates"]["with"], found["rates"]["without"], strict=True)
    spread = Spread.of([a / b for a, b in pairs])
    rows = [
        (
            times(spread),
            short(Spread.of(found["rates"]["with"]).median),
            f"{found['closed'][-1]} of {len(found['closed'])}",
        )
    ]
    return table(
        ("rate of nine clients with a tenth that never reads", "messages/s", "slow ones closed"),
        rows,
    )


question = Question("A slow client among fast ones", _ask, _report, quick=False)

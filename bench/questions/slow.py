"""One client that never reads, among nine that do."""

from __future__ import annotations

from bench import measuring
from bench.figures import Spread, short, table
from bench.questions.question import Found, Plan, Question
from bench.questions.rounds import times
from bench.systems.product import Product
from bench.systems.system import Order


async def _ask(plan: Plan) -> Found:
    product = Product()
    rates: dict[str, list[float]] = {"without": [], "with": []}
    closed = []
    seconds = max(2.0, plan.seconds)  # the slow one is closed, and a second later aborted
    await product.start()
    try:
        for _ in range(plan.rounds):
            for name, slow in (("without", 0), ("with", 1)):
                window = await measuring.events(
                    product, Order(4, -1, 200), clients=9 + slow, slow=slow, seconds=seconds
                )
                rates[name].append(window.rate)
                if slow:
                    closed.append(window.said["slowEnded"])
                await measuring.settle()
    finally:
        await product.stop()
    return {"rates": rates, "closed": closed}


def _report(found: Found) -> str:
    pairs = zip(found["rates"]["with"], found["rates"]["without"], strict=True)
    spread = Spread.of([a / b for a, b in pairs])
    rows = [(times(spread), short(Spread.of(found["rates"]["with"]).median), str(found["closed"]))]
    return table(
        ("rate of nine clients with a tenth that never reads", "messages/s", "slow ones closed"),
        rows,
    )


question = Question("A slow client among fast ones", _ask, _report, quick=False)

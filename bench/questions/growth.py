"""Measures whether messages cost more with more accounts, at the same total rate."""

from __future__ import annotations

from bench.measuring import windows
from bench.measuring.figures import short, table
from bench.questions.question import Found, Plan, Question
from bench.systems.product import Product
from bench.systems.system import Order

RATE = 2000.0  # messages a second, over all accounts


async def _ask(plan: Plan) -> Found:
    counts = (10, 60, 200, 500) if plan.thorough else (10, 60)
    found = {}
    for count in counts:
        product = Product(count)
        await product.start()
        try:
            order = Order(count, RATE / count, 200)
            window = await windows.events(product, order, seconds=4 * plan.seconds)
            found[str(count)] = {
                "rate": window.rate,
                "gatewayUs": window.cpu_us["gateway"],
                "workersUs": window.cpu_us["workers"],
                "p99Ms": window.latency("p99"),
            }
        finally:
            await product.stop()
    return {"accounts": found}


def _report(found: Found) -> str:
    rows = [
        (
            count, short(each["rate"]), short(each["gatewayUs"]), short(each["workersUs"]),
            short(each["p99Ms"]),
        )
        for count, each in found["accounts"].items()
    ]  # fmt: skip
    head = ("accounts", "messages/s", "gateway µs each", "worker µs each", "p99 ms")
    return table(head, rows)


question = Question(f"More accounts, the same {RATE:g} messages/s", _ask, _report, quick=False)

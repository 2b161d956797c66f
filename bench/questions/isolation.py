"""Measures the effect on an account of a sibling that floods, crashes, hangs or leaks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from bench.measuring import windows
from bench.measuring.figures import Spread, short, table
from bench.questions.question import Found, Plan, Question
from bench.systems.product import Product
from bench.systems.system import Order
from ipc.errors import IpcError

CALM, SIBLING = "source:w0", "source:w1"
RATE = 50  # messages a second of the calm one
ORDERS = {
    "calm": None,
    "flood": "rate=-1 bytes=200",
    "crash loop": "crash",
    "hang": "hang=3",
    "leak": "leak=200",
}


async def _ask(plan: Plan) -> Found:
    rounds = max(7, plan.rounds)
    seconds = 2.0 if plan.thorough else 1.0
    found: dict[str, dict[str, Any]] = {
        name: {"p50Ms": [], "p99Ms": [], "messages": []} for name in ORDERS
    }
    product = Product(2, channels={"source": {"accounts": {"w0": {}, "w1": {}}}})
    await product.start()
    try:
        before = await product.daemon.status()
        for _ in range(rounds):
            for name, order in ORDERS.items():
                window = await _beside(product, order, seconds)
                found[name]["p50Ms"].append(window.latency("p50"))
                found[name]["p99Ms"].append(window.latency("p99"))
                found[name]["messages"].append(window.result["latency"]["count"])
        after = await product.daemon.status()
        calm = after["accounts"][CALM]
        restarts = calm["restarts"] - before["accounts"][CALM]["restarts"]
        crashes = after["accounts"][SIBLING]["restarts"]
    finally:
        await product.stop()
    return {"cases": found, "restartsOfTheCalm": restarts, "crashesOfTheSibling": crashes}


async def _beside(product: Product, order: str | None, seconds: float) -> windows.Window:
    """Measure the calm account while the sibling is faulty; then restore the sibling."""
    crashing = asyncio.create_task(_crash(product)) if order == "crash" else None
    if order is not None and crashing is None:
        await product.order(SIBLING, order)
    try:
        return await windows.events(product, Order(1, RATE, 200), seconds=seconds, watch=CALM)
    finally:
        if crashing is not None:
            crashing.cancel()
            await asyncio.wait([crashing])
        await product.daemon.call("channels.restart", {"accounts": [SIBLING]})
        await product.daemon.wait_phase(SIBLING, "running")


async def _crash(product: Product) -> None:
    """Crash the sibling whenever it is up."""
    while True:
        with contextlib.suppress(IpcError):  # it is down at the moment
            await product.order(SIBLING, "crash")
        await asyncio.sleep(0.05)


def _report(found: Found) -> str:
    calm = Spread.of(found["cases"]["calm"]["p99Ms"]).median
    allowed = max(1.5 * calm, calm + 5)
    rows = []
    for name, case in found["cases"].items():
        p99 = Spread.of(case["p99Ms"])
        verdict = "" if name == "calm" else ("yes" if p99.median <= allowed else "NO")
        rows.append((name, short(Spread.of(case["p50Ms"]).median), str(p99), verdict))
    text = table(("sibling", "p50 ms", "p99 ms (spread)", f"≤ {short(allowed)} ms"), rows)
    return (
        f"{text}\n\nRestarts of the calm account: {found['restartsOfTheCalm']}; "
        f"crashes of its sibling: {found['crashesOfTheSibling']}; messages lost: 0 (checked)."
    )


question = Question(
    "Isolation: a calm account (50 messages/s) beside a bad sibling", _ask, _report, quick=False
)

"""Measures the time of a message from its emission in the worker to its receipt in the client."""

from __future__ import annotations

from bench.measuring import windows
from bench.measuring.figures import Spread, short, table
from bench.questions.question import Found, Plan, Question
from bench.questions.rounds import interleaved, median, plain, ratio, running, times
from bench.systems.floor import Floor
from bench.systems.node_ws import Node, package
from bench.systems.product import Product
from bench.systems.system import Order, System

WORKERS = 4
OURS, FLOOR = "trunkline", "floor whole"
SHARES = ("10 %", "50 %", "80 %")


async def _ask(plan: Plan) -> Found:
    systems: list[System] = [Floor(whole=True), Product()]
    if package() is not None:
        systems.append(Node())
    clients = (1, 10) if plan.thorough else (1,)
    rounds = plan.rounds if plan.thorough else 3
    cases = ["1000/s 1c", "50 % 1c"]
    if plan.thorough:
        shares = [f"{share} {count}c" for count in clients for share in SHARES]
        cases = ["1000/s 1c", "1000/s 10c", *shares]
    most: dict[tuple[str, int], float] = {}

    async def measure(system: System, case: str) -> windows.Window:
        count = int(case.split()[-1][:-1])
        total = 1000.0
        if not case.startswith("1000/s"):
            total = most[system.name, count] * float(case.split()[0]) / 100
        order = Order(WORKERS, total / WORKERS, 200)
        return await windows.events(
            system,
            order,
            clients=count,
            seconds=2 * plan.seconds if plan.thorough else plan.seconds,
        )

    async with running(systems):
        for system in systems:
            for count in clients:
                rates = []
                for _ in range(3 if plan.thorough else 1):
                    order = Order(WORKERS, -1, 200)
                    window = await windows.events(
                        system, order, clients=count, seconds=plan.seconds
                    )
                    rates.append(window.rate)
                    await windows.settle()
                most[system.name, count] = Spread.of(rates).median
        found = plain(await interleaved(systems, cases, rounds, measure))
    return {"cases": found, "most": {f"{name} {c}c": rate for (name, c), rate in most.items()}}


def _report(found: Found) -> str:
    rows = []
    for case, systems in found["cases"].items():
        row = [case]
        for name in (OURS, FLOOR, "node"):
            each = systems.get(name)
            row.append(
                "–"
                if each is None
                else f"{short(median(each, 'p50Ms'))} / {short(median(each, 'p99Ms'))}"
                f" / {short(median(each, 'p999Ms'))} at {short(median(each, 'rate'))}/s"
            )
        row += [
            times(ratio(systems, OURS, "node", "p50Ms")),
            times(ratio(systems, OURS, FLOOR, "p99Ms")),
        ]
        rows.append(row)
    head = (
        "rate, 4 workers", "ours: p50 / p99 / p99.9 ms", "floor, whole messages", "node",
        "p50 × node", "p99 × floor",
    )  # fmt: skip
    return table(head, rows)


question = Question("Latency (shares are of each system's own maximum)", _ask, _report)

"""Measures messages from workers to clients, compared to a lower bound and other systems."""

from __future__ import annotations

from bench.measuring import windows
from bench.measuring.figures import short, table
from bench.questions.question import Found, Plan, Question
from bench.questions.rounds import interleaved, median, plain, ratio, running, times
from bench.systems.floor import Floor
from bench.systems.naive import Naive
from bench.systems.node_ws import Node, package
from bench.systems.product import Product
from bench.systems.system import Order, System

QUICK = ("4w 1c 200 B", "4w 10c 200 B")
FULL = (
    "1w 1c 200 B", "1w 10c 200 B", "4w 1c 200 B", "4w 10c 200 B", "4w 50c 200 B",
    "4w 200c 200 B", "4w 1c 2048 B", "4w 10c 2048 B", "4w 1c 65536 B",
)  # fmt: skip
SETTLE = 0.15  # seconds after each window: what is on its way arrives and disturbs no other
OURS, FLOOR, PACKED = "trunkline", "floor", "floor ×16"


def parse(case: str) -> tuple[Order, int]:
    """Return the order and the number of clients of ``4w 10c 200 B``."""
    workers, clients, size, _ = case.split()
    return Order(int(workers[:-1]), -1, int(size)), int(clients[:-1])


async def _ask(plan: Plan) -> Found:
    systems: list[System] = [Floor(), Floor(16), Product()]
    if package() is not None:
        systems.append(Node())
    if plan.thorough:
        systems += [Node(joined=True)] if package() is not None else []
        systems.append(Naive())

    async def measure(system: System, case: str) -> windows.Window:
        order, clients = parse(case)
        if isinstance(system, Floor):
            system.sized(order)
        window = await windows.events(system, order, clients=clients, seconds=plan.seconds)
        await windows.settle(SETTLE)
        return window

    cases = FULL if plan.thorough else QUICK
    async with running(systems):
        return {"cases": plain(await interleaved(systems, cases, plan.rounds, measure))}


def _report(found: Found) -> str:
    rows = []
    for case, systems in found["cases"].items():
        rows.append(
            (
                case,
                times(ratio(systems, OURS, FLOOR)),
                times(ratio(systems, OURS, PACKED)),
                times(ratio(systems, OURS, "node")),
                times(ratio(systems, OURS, "node joined")),
                times(ratio(systems, OURS, "naive")),
                short(median(systems[OURS], "rate")),
                short(median(systems[OURS], "cpuUs.gateway")),
                short(median(systems[OURS], "cpuUs.workers")),
            )
        )
    head = (
        "case", "× floor", "× floor packed by 16", "× node", "× node joined", "× naive",
        "messages/s", "gateway µs", "worker µs",
    )  # fmt: skip
    text = table(head, rows)
    cases = found["cases"]
    if {"4w 1c 200 B", "4w 10c 200 B"} <= set(cases):
        few, many = (
            median(cases[case][OURS], "cpuUs.gateway") for case in ("4w 1c 200 B", "4w 10c 200 B")
        )
        text += f"\n\nEach further delivery costs the gateway {max(0.0, many - few) / 9:.2f} µs."
    if package() is None:
        text += "\n\nNode and npm are absent: not compared with Node."
    return text


question = Question("Events: worker → gateway → clients", _ask, _report)

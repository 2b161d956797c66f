"""Measures requests answered by the gateway itself, and by the plugins of four accounts.

Four, because one account takes no more than 64 calls at a time and refuses the others.
"""

from __future__ import annotations

from bench.measuring import windows
from bench.measuring.figures import short, table
from bench.questions.question import Found, Plan, Question
from bench.questions.rounds import interleaved, median, plain, ratio, running, times
from bench.systems.naive import Naive
from bench.systems.node_ws import Node, package
from bench.systems.product import Product
from bench.systems.system import REQUESTS, System

SHAPES = {"1×1": (1, 1), "32×1": (32, 1), "8×16": (8, 16)}
OURS = "trunkline"


async def _ask(plan: Plan) -> Found:
    systems: list[System] = [Product()]
    if package() is not None:
        systems.append(Node())
    if plan.thorough:
        systems.append(Naive())
    shapes = SHAPES if plan.thorough else ("1×1", "8×16")
    kinds = REQUESTS if plan.thorough else ("gateway", "worker")
    cases = [f"{kind} {shape}" for kind in kinds for shape in shapes]

    async def measure(system: System, case: str) -> windows.Window:
        kind, shape = case.split()
        clients, depth = SHAPES[shape]
        return await windows.requests(
            system, REQUESTS[kind], clients=clients, depth=depth, seconds=plan.seconds
        )

    async with running(systems):
        return {"cases": plain(await interleaved(systems, cases, plan.rounds, measure))}


def _report(found: Found) -> str:
    rows = []
    for case, systems in found["cases"].items():
        ours = systems[OURS]
        rows.append(
            (
                case,
                times(ratio(systems, OURS, "node")),
                times(ratio(systems, OURS, "node", "cpuUs.gateway")),
                times(ratio(systems, OURS, "node", "p50Ms")),
                times(ratio(systems, OURS, "naive")),
                short(median(ours, "rate")),
                short(median(ours, "cpuUs.gateway")),
                f"{short(median(ours, 'p50Ms'))} / {short(median(ours, 'p99Ms'))}",
            )
        )
    head = (
        "who answers, connections × depth", "rate × node", "gateway CPU × node", "p50 × node",
        "rate × naive", "requests/s", "gateway µs", "p50 / p99 ms",
    )  # fmt: skip
    return table(head, rows)


question = Question("Requests", _ask, _report)

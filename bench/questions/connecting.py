"""Measures how many clients can connect per second: connect, challenge, hello, close."""

from __future__ import annotations

from bench.measuring import windows
from bench.measuring.figures import short, table
from bench.questions.question import Found, Plan, Question
from bench.questions.rounds import interleaved, median, plain, ratio, running, times
from bench.systems.node_ws import Node, package
from bench.systems.product import Product
from bench.systems.system import System


async def _ask(plan: Plan) -> Found:
    systems: list[System] = [Product()]
    if package() is not None:
        systems.append(Node())

    async def measure(system: System, case: str) -> windows.Window:
        return await windows.connects(system, clients=int(case.split()[0]), seconds=plan.seconds)

    cases = ("1 at a time", "16 at a time")
    async with running(systems):
        return {"cases": plain(await interleaved(systems, cases, plan.rounds, measure))}


def _report(found: Found) -> str:
    rows = []
    for case, systems in found["cases"].items():
        ours = systems["trunkline"]
        rows.append(
            (
                case,
                short(median(ours, "rate")),
                short(median(ours, "cpuUs.gateway")),
                f"{short(median(ours, 'p50Ms'))} / {short(median(ours, 'p99Ms'))}",
                times(ratio(systems, "trunkline", "node")),
            )
        )
    head = ("clients", "connects/s", "gateway µs", "p50 / p99 ms", "× node (upgrade only)")
    return table(head, rows)


question = Question("Connect and hello", _ask, _report)

"""The requests that the real OpenClaw answers too, where its folder is named in BENCH_OPENCLAW."""

from __future__ import annotations

from bench import measuring
from bench.figures import short, table
from bench.questions.question import Found, Plan, Question
from bench.questions.rounds import interleaved, median, plain, ratio, running, times
from bench.systems.openclaw import OpenClaw, program
from bench.systems.product import Product
from bench.systems.system import System

SHAPES = {"1×1": (1, 1), "1×64": (1, 64), "20×1": (20, 1)}
METHODS = ("last-heartbeat", "system-presence", "health")
CONNECT = "connect + hello"


async def _ask(plan: Plan) -> Found:
    if program() is None:
        return {"cases": {}}
    systems: list[System] = [Product(20), OpenClaw()]
    cases = [f"{method} {shape}" for method in METHODS for shape in SHAPES]

    async def measure(system: System, case: str) -> measuring.Window:
        if case == CONNECT:
            return await measuring.connects(system, clients=1, seconds=plan.seconds)
        method, shape = case.split()
        clients, depth = SHAPES[shape]
        # It refuses requests when too many wait ("server is busy"): those are not counted here.
        return await measuring.requests(
            system, f'"method":"{method}"', clients=clients, depth=depth, seconds=plan.seconds
        )

    async with running(systems):
        measured = await interleaved(systems, [*cases, CONNECT], plan.rounds, measure)
    return {"cases": plain(measured)}


def _report(found: Found) -> str:
    if not found["cases"]:
        return "Not asked: BENCH_OPENCLAW does not name a folder with OpenClaw in it."
    rows = [
        (
            case,
            times(ratio(systems, "trunkline", "openclaw")),
            times(ratio(systems, "trunkline", "openclaw", "cpuUs.gateway")),
            short(median(systems["trunkline"], "rate")),
            short(median(systems["openclaw"], "rate")),
            f"{short(median(systems['trunkline'], 'p50Ms'))} /"
            f" {short(median(systems['openclaw'], 'p50Ms'))}",
        )
        for case, systems in found["cases"].items()
    ]
    head = (
        "request, connections × depth", "rate × OpenClaw", "gateway CPU × OpenClaw", "ours/s",
        "OpenClaw/s", "p50 ms, ours / OpenClaw",
    )  # fmt: skip
    return table(head, rows)


question = Question("Beside the real OpenClaw (20 accounts of ours, none of its)", _ask, _report)

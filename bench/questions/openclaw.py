"""Measures requests that OpenClaw answers, too, if BENCH_OPENCLAW names its folder."""

from __future__ import annotations

from contextlib import nullcontext

from bench.measuring import windows
from bench.measuring.figures import short, table
from bench.questions.health_observer import HealthObserver
from bench.questions.question import Found, Plan, Question
from bench.questions.rounds import interleaved, median, plain, ratio, running, times
from bench.systems.openclaw import OpenClaw, program
from bench.systems.product import Product
from bench.systems.system import Order, System

SHAPES = {"1×1": (1, 1), "1×64": (1, 64), "20×1": (20, 1)}
METHODS = ("last-heartbeat", "system-presence", "health")
CONNECT = "connect + hello"
# Ours are messages of accounts, OpenClaw's are its ``presence``: both some 540 bytes.
FANOUTS = {
    "fan-out, 10 clients": (10, Order(4, -1, 200)),
    "fan-out, 50 clients": (50, Order(4, -1, 200)),
    "fan-out, 50 clients, 50/s": (50, Order(1, 50, 200)),
}
OBSERVED = "health 1×64"
QUICK = ("last-heartbeat 1×64", OBSERVED, "fan-out, 10 clients", CONNECT)


async def _ask(plan: Plan) -> Found:
    if program() is None:
        return {"cases": {}}
    product = Product(20)
    systems: list[System] = [product, OpenClaw()]
    seen: list[Found] = []
    cases = [f"{method} {shape}" for method in METHODS for shape in SHAPES]
    cases = [*cases, *FANOUTS, CONNECT] if plan.thorough else list(QUICK)

    async def measure(system: System, case: str) -> windows.Window:
        if case == CONNECT:
            return await windows.connects(system, clients=1, seconds=plan.seconds)
        if case in FANOUTS:
            count, order = FANOUTS[case]
            return await windows.events(system, order, clients=count, seconds=plan.seconds)
        method, shape = case.split()
        clients, depth = SHAPES[shape]
        observer = HealthObserver(product) if case == OBSERVED and system is product else None
        async with observer.looking() if observer else nullcontext():
            # It refuses requests when too many wait ("server is busy"): those do not count here.
            window = await windows.requests(
                system, f'"method":"{method}"', clients=clients, depth=depth, seconds=plan.seconds
            )
        if observer:
            seen.append(observer.found())
        return window

    async with running(systems):
        measured = await interleaved(systems, cases, plan.rounds, measure)
    return {"cases": plain(measured), "observer": seen}


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
    return f"{table(head, rows)}\n\n{_observed(found['observer'])}"


def _observed(seen: list[Found]) -> str:
    """Describe the observations of a client that requested ``health`` meanwhile."""
    faults = [fault for one in seen for fault in one["faults"]]
    shown = sorted(ms for one in seen for ms in one["shownMs"])
    oldest, looks = max(one["oldestMs"] for one in seen), sum(one["looks"] for one in seen)
    return (
        f"During `{OBSERVED}` a client of ours looked {looks} times: no"
        f" answer was older than {oldest:.0f} ms, {len(faults)} were wrong"
        f" ({faults[0] if faults else 'schema, 20 accounts'}); an account was stopped and started"
        f" {len(shown) // 2} times, which showed after {short(shown[len(shown) // 2])} ms (median)"
        f" and at most {short(shown[-1])} ms, its stop and start included."
    )


TITLE = "Beside the real OpenClaw (20 accounts of ours, none of its)"
question = Question(TITLE, _ask, _report, quick=False)  # it takes up to 40 s to start

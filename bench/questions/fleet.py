"""Measures many idle accounts: start, memory, CPU, crashes; also of process managers."""

from __future__ import annotations

from typing import Any

from bench import accounts, managers
from bench.measuring.figures import table
from bench.questions.question import Found, Plan, Question

MANAGED = 20


async def _ask(plan: Plan) -> Found:
    counts = (1, 20, 60, 200, 500) if plan.thorough else (20,)
    kills, idle = (20, 15.0) if plan.thorough else (3, 2.0)
    ours = [await accounts.measure(count, kills, idle) for count in counts]
    others: dict[str, Any] = {}
    if plan.thorough:
        others = await managers.compare(MANAGED)
    return {"accounts": ours, "managers": others}


def _report(found: Found) -> str:
    text = accounts.report(found["accounts"])
    rows = [
        (name, f"{each['readySeconds']:.2f}", f"{each['managerMiB']:.1f}",
         f"{each['workerMiB']:.1f}", f"{each['backMs']:.0f}")
        if "error" not in each else (name, each["error"], "", "", "")
        for name, each in found["managers"].items()
    ]  # fmt: skip
    if rows:
        head = (
            f"{MANAGED} Python workers", "all ready, s", "manager PSS MiB", "worker PSS MiB",
            "kill → replacement, ms",
        )  # fmt: skip
        text += "\n\n" + table(head, rows)
    return text


question = Question("Idle accounts", _ask, _report)

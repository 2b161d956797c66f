"""Runs the microbenchmarks of single pieces."""

from __future__ import annotations

import asyncio

from bench import microbenchmarks
from bench.questions.question import Found, Plan, Question


async def _ask(plan: Plan) -> Found:
    return {"pieces": await asyncio.to_thread(microbenchmarks.run, not plan.thorough)}


def _report(found: Found) -> str:
    return microbenchmarks.report(found["pieces"])


question = Question("Pieces", _ask, _report)

"""The pieces, each alone."""

from __future__ import annotations

import asyncio

from bench import piecewise
from bench.questions.question import Found, Plan, Question


async def _ask(plan: Plan) -> Found:
    return {"pieces": await asyncio.to_thread(piecewise.run, not plan.thorough)}


def _report(found: Found) -> str:
    return piecewise.report(found["pieces"])


question = Question("Pieces", _ask, _report)

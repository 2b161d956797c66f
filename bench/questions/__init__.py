"""Lists the questions of the suite in their order."""

from __future__ import annotations

from bench.questions import (
    agents,
    connecting,
    events,
    fleet,
    growth,
    idle,
    isolation,
    latency,
    links,
    openclaw,
    pieces,
    rpc,
    slow,
)
from bench.questions.question import Plan, Question

__all__ = ["QUESTIONS", "Plan", "Question"]

QUESTIONS: dict[str, Question] = {
    "pieces": pieces.question,
    "events": events.question,
    "rpc": rpc.question,
    "connect": connecting.question,
    "latency": latency.question,
    "isolation": isolation.question,
    "slow": slow.question,
    "idle": idle.question,
    "links": links.question,
    "fleet": fleet.question,
    "openclaw": openclaw.question,
    "growth": growth.question,
    "agents": agents.question,
}

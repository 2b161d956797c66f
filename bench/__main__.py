"""Runs the suite: ``python -m bench [--quick | --full] [QUESTION ...]``.

Asks every question, or those that are named, prints one table per question, ratios first,
and writes everything with the machine's description to ``bench/results/``. ``--publish``
writes the figures and plots that the documentation shows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from bench import machine
from bench.load.native import generator
from bench.measuring.processes import must_measure
from bench.publishing import publish
from bench.questions import QUESTIONS, Plan, Question

RESULTS = Path(__file__).parent / "results"
PUBLISHED = machine.ROOT / "docs" / "bench"


def main() -> int:
    """Run the suite; return 1 if a question could not be answered."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(QUESTIONS))
    parser.add_argument("--quick", action="store_true", help="under 2 minutes (the default)")
    parser.add_argument("--full", action="store_true", help="everything, about 40 minutes")
    parser.add_argument("--rounds", type=int, help="of each comparison; at least 5 by default")
    parser.add_argument("--seconds", type=float, help="of each window")
    parser.add_argument("--publish", action="store_true", help="write docs/bench too")
    args = parser.parse_args()
    must_measure()
    if unknown := set(args.questions) - set(QUESTIONS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(QUESTIONS)}")
    plan = Plan.full() if args.full else Plan.quick()
    plan = replace(plan, rounds=args.rounds or plan.rounds, seconds=args.seconds or plan.seconds)
    names = args.questions or [
        name for name, question in QUESTIONS.items() if args.full or question.quick
    ]
    about = machine.describe()
    print(f"{machine.sentence(about)}\n")
    if len(generator()) > 1:
        print("No compiler: the load generator is the one in Python, and may be the bottleneck.\n")
    whole: dict[str, Any] = {"machine": about, "plan": plan.described(), "results": {}}
    failed = False
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name in names:
            found = _ask(runner, QUESTIONS[name], plan)
            failed |= found is None
            if found is not None:
                whole["results"][name] = found
                file = _write(whole)  # after each, so that nothing measured is ever lost
    if whole["results"]:
        print(f"written: {file}")
        if args.publish:
            publish(whole, PUBLISHED)
    return 1 if failed else 0


def _ask(runner: asyncio.Runner, question: Question, plan: Plan) -> dict[str, Any] | None:
    print(f"## {question.title}\n", flush=True)
    before = os.getloadavg()[0]
    try:
        found = runner.run(question.ask(plan))
    except Exception as error:  # noqa: BLE001 - the other questions are asked all the same
        print(f"FAILED: {type(error).__name__}: {error}\n", file=sys.stderr, flush=True)
        return None
    found["loadAverage"] = [round(before, 2), round(os.getloadavg()[0], 2)]
    found["revision"] = machine.revision()
    print(f"{question.report(found)}\n", flush=True)
    return found


def _write(whole: dict[str, Any]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    stamp = whole["machine"]["at"].replace(":", "").replace("+0000", "")
    file = RESULTS / f"{stamp}-{whole['machine']['revision']}.json"
    file.write_text(json.dumps(whole, indent=1))
    return file


if __name__ == "__main__":
    sys.exit(main())

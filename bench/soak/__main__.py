"""Runs many accounts under numbered traffic while everything is hit by random faults.

    python -m bench.soak [--minutes 60] [--accounts 60] [--seed N] [--json FILE] [--publish]

Exits with 1 when anything that must be 0 is not: messages reordered, unmarked duplicates, missing
messages of which nothing was told, restarts of accounts that were not hit, processes and files left
over. Growth of memory and files is printed, and fails nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from pathlib import Path

import uvloop

from bench import machine
from bench.measuring.processes import must_measure
from bench.soak.report import INTRODUCTION, problems, report
from bench.soak.run import soak

REPORT = machine.ROOT / "docs" / "bench" / "soak.md"


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--accounts", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--publish", action="store_true", help=f"write {REPORT.name} too")
    args = parser.parse_args()
    must_measure()
    about = machine.describe()
    print(f"seed {args.seed}", file=sys.stderr, flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(soak(args.accounts, args.minutes, args.seed))
    text = f"{report(outcome)}\n\n{machine.sentence(about)}\n"
    print(text)
    if args.publish:
        REPORT.write_text(INTRODUCTION + text)
    if args.json:
        args.json.write_text(json.dumps({"machine": about, **outcome.described()}, indent=1))
    found = problems(outcome)
    for each in found:
        print(f"FAULT: {each}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

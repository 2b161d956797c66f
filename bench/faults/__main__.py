"""Injects every fault into a live daemon under load, and reports the effect on siblings.

    python -m bench.faults [--only NAME ...] [--rounds 1] [--json FILE] [--publish]

Exits with 1 when a sibling was restarted, a message of one was lost, a process or an open file
was left over, or something did not recover; a latency alone fails nothing, it is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop

from bench import machine
from bench.faults import accounts, shared  # noqa: F401 - they enter their faults
from bench.faults.fault import FAULTS
from bench.faults.report import INTRODUCTION, report
from bench.faults.rig import fault_rig
from bench.faults.trial import Verdict, attempt
from bench.measuring.processes import must_measure

REPORT = machine.ROOT / "docs" / "faults.md"
SIBLINGS, RATE, CALM = 40, 10.0, 4.0


async def inject(
    names: Sequence[str], *, siblings: int = SIBLINGS, rate: float = RATE, calm: float = CALM
) -> list[Verdict]:
    """Inject these faults into one daemon, one after the other."""
    ordered = sorted(names, key=lambda name: FAULTS[name].last)
    found = []
    async with fault_rig(siblings, rate) as rig:
        for name in ordered:
            found.append(await attempt(rig, FAULTS[name], calm))
            print(f"{name}: {'; '.join(found[-1].wrong) or 'ok'}", file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Inject and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FAULTS, metavar="NAME", default=list(FAULTS))
    parser.add_argument("--list", action="store_true", help="print the names of the faults")
    parser.add_argument("--siblings", type=int, default=SIBLINGS, help="accounts that talk")
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second of each")
    parser.add_argument("--calm", type=float, default=CALM, help="seconds of calm before each")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--publish", action="store_true", help=f"write docs/{REPORT.name} too")
    args = parser.parse_args()
    if args.list:
        print("\n".join(f"{each.name}: {each.injected}" for each in FAULTS.values()))
        return 0
    must_measure()
    about = machine.describe()
    work = [
        inject(args.only, siblings=args.siblings, rate=args.rate, calm=args.calm)
        for _ in range(args.rounds)
    ]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = [runner.run(each) for each in work]
    text = f"{report(found)}\n\n{machine.sentence(about)}\n"
    print(text)
    if args.json:
        rounds = [[asdict(one) for one in each] for each in found]
        args.json.write_text(json.dumps({"machine": about, "rounds": rounds}, indent=1))
    if args.publish:
        said = INTRODUCTION.format(siblings=args.siblings, rate=args.rate, rounds=args.rounds)
        REPORT.write_text(said + text)
    return 1 if any(one.wrong for each in found for one in each) else 0


if __name__ == "__main__":
    sys.exit(main())

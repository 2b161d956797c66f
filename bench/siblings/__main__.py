"""Runs faults of 20 seconds in one account, and reports the effect on accounts of all channels.

    python -m bench.siblings [--only FAULT ...] [--seconds 20] [--rounds 3] [--json FILE]

The real daemon with accounts of ``telegram``, ``discord``, ``slack``, ``irc`` and ``local``, at
fake servers and a real IRC server, and of ``source``, which emits by itself; journals as they are
by default. Two of each channel get five messages a second, a third is stopped and started. One of
``source`` and one of ``telegram`` go wrong: blocked (``time.sleep`` on the event loop), frozen
(SIGSTOP), leaking to the limit again and again, flooding as fast as ``emit`` allows; or two of a
further channel are added, whose import keeps a core busy. Or an agent goes wrong in each turn: its
loop is blocked, it floods, leaks, or dies in the middle of its answer. Before each fault the same
is seen of a calm daemon. Latency is from the platform to a client of the gateway, of agents from
the question to the end of the answer, without starts beside it; a start counts from the request
until the account is ready. Exits with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import uvloop

from bench import machine
from bench.measuring.processes import must_measure
from bench.siblings.report import check, report
from bench.siblings.rig import sibling_rig
from bench.siblings.trial import FAULTS, Trial, attempt


async def measure(names: list[str], seconds: float, rounds: int) -> list[Trial]:
    """Run all faults in turn, in each round."""
    found = []
    async with sibling_rig(seconds) as rig:
        for number in range(rounds):
            for name in names:
                for channel in FAULTS[name][1]:
                    found.append(await attempt(rig, name, channel, seconds))
                    load = os.getloadavg()[0]
                    words = f"round {number + 1}: {name} in {channel}, load average {load:.1f}"
                    print(words, file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Measure and print; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.siblings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--seconds", type=float, default=20.0, help="that each fault lasts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    must_measure()
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(measure(args.only, args.seconds, args.rounds))
    kinds = dict.fromkeys((each.fault, each.channel) for each in found)
    results = [
        result
        for kind in kinds
        for result in check([each for each in found if (each.fault, each.channel) == kind])
    ]
    print(report(results))
    print(f"\n{machine.sentence(about)}")
    if args.json:
        trials = [asdict(each) for each in found]
        args.json.write_text(json.dumps({"machine": about, "trials": trials}, indent=1))
    return 1 if any(each.wrong for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())

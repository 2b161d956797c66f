"""Measures how long a shutdown takes: usual, worst case, and with the supervisor killed.

    python -m bench.endings [--accounts 60] [--rounds 5] [--json FILE]

The real daemon under the default policy. ``stop`` is from SIGINT to the exit of ``trunkline up``,
with accounts of ``local``; ``worst`` the same with accounts that ignore SIGTERM, whose event loop
is blocked, or that swallow their cancellation. ``killed`` is from ``kill -9`` of the supervisor
until no process of the daemon is left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import psutil
import uvloop

from bench import machine
from bench.accounts import all_running
from bench.measuring.figures import Spread, table
from bench.tied import TiedDaemon
from tests.support import faulty
from tests.support.short_directory import ShortDirectory

FAULTS = ("ignore-term", "block", "uncancellable")
SETTLE = 1.0  # seconds until each has gone wrong
CHECK_SECONDS = 0.001
WANTED = {"stop": "≤ 3", "worst": "≤ 7", "killed": "≤ 0.25"}


def config(kind: str, count: int) -> dict[str, Any]:
    """Return a configuration of ``count`` accounts for a shutdown."""
    numbers = range(count)
    accounts: dict[str, Any] = {f"a{number:03}": {} for number in numbers}
    channel = "local"
    if kind == "worst":
        channel = "faulty"
        for number, account in enumerate(accounts.values()):
            account |= {"fault": FAULTS[number % len(FAULTS)], "seconds": 3600}
    return {
        "channels": {channel: {"accounts": accounts}},
        "agents": {"default": "none"},
        "supervisor": {"restart": {}},
    }


async def measure(kind: str, count: int) -> float:
    """Start a daemon and end it; return the seconds until all processes were gone."""
    with ShortDirectory() as place:
        (place / "site").mkdir()
        site = faulty.install(place / "site")
        daemon = TiedDaemon(place, config(kind, count), site=str(site))
        try:
            await daemon.start()
            await all_running(daemon)
            await asyncio.sleep(SETTLE)
            family = daemon.family()
            began = time.monotonic()
            if kind == "killed":
                daemon.kill()
                while any(_lives(each) for each in family):  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(CHECK_SECONDS)
            else:
                await asyncio.to_thread(daemon.end)
            return time.monotonic() - began
        finally:
            await daemon.__aexit__()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def measure_rounds(count: int, rounds: int) -> dict[str, list[float]]:
    """Measure all kinds in turn; return the seconds of each round."""
    found: dict[str, list[float]] = {kind: [] for kind in WANTED}
    for _ in range(rounds):
        for kind, values in found.items():
            values.append(await measure(kind, count))
    return found


def report(result: dict[str, list[float]]) -> str:
    """Return the figures as a table."""
    rows = [[kind, str(Spread.of(values)), WANTED[kind]] for kind, values in result.items()]
    count = len(next(iter(result.values())))
    return table(["", f"seconds, median (lowest–highest) of {count}", "wanted"], rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.endings", description=__doc__)
    parser.add_argument("--accounts", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(measure_rounds(args.accounts, args.rounds))
    print(report(result))
    print(f"\n{args.accounts} accounts. {machine.sentence(about)}")
    if args.json:
        args.json.write_text(json.dumps({"machine": about, "endings": result}, indent=1))


if __name__ == "__main__":
    main()

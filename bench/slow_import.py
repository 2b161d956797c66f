"""Measures what one channel that is slow to import costs the accounts of another one.

    python -m bench.slow_import [--accounts 10] [--seconds 20] [--rounds 5] [--json FILE]

The real daemon runs accounts of ``local`` beside a few of a made-up channel, whose import takes no
time (``calm``) or keeps a core busy for so many seconds (``slow``); both in turn, in each round.
A start counts from the exec of ``trunkline up`` until every account of ``local`` runs; their
memory is taken when those of the other channel run too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import uvloop

from bench import machine
from bench.measuring.figures import Spread, table
from bench.measuring.processes import must_measure, pss_bytes
from bench.tied import TiedDaemon
from tests.support.channel_packages import install
from tests.support.short_directory import ShortDirectory

NAME = "made_up"
BESIDE = 2  # accounts of the made-up channel
SETTLE_SECONDS = 2.0
BUSY = "import time\nends = time.monotonic() + {seconds}\nwhile time.monotonic() < ends: pass\n"
WAITING = 30.0  # seconds, beyond the import
MIB = 2**20


def config(count: int) -> dict[str, Any]:
    """Return a configuration of ``count`` idle accounts of ``local`` beside the others."""
    return {
        "channels": {
            "local": {"accounts": {f"a{number}": {} for number in range(count)}},
            NAME: {"accounts": {f"a{number}": {} for number in range(BESIDE)}},
        },
        "agents": {"default": "none"},
    }


async def measure(count: int, seconds: float) -> dict[str, float]:
    """Start one daemon whose made-up channel is busy importing for so many seconds."""
    with ShortDirectory() as place:
        install(place / "site", NAME, BUSY.format(seconds=seconds) if seconds else "")
        daemon = TiedDaemon(place, config(count), site=str(place / "site"))
        began = time.monotonic()
        try:
            daemon.launch()
            siblings = await running(daemon, "local", began + WAITING)
            started = time.monotonic() - began
            await running(daemon, NAME, began + seconds + WAITING)
            others = time.monotonic() - began
            await asyncio.sleep(SETTLE_SECONDS)
            memory = [pss_bytes(pid) / MIB for pid in siblings]
        finally:
            await daemon.__aexit__()
    return {"start": started, "others": others, "pss": sum(memory) / len(memory)}


async def running(daemon: TiedDaemon, channel: str, until: float) -> list[int]:
    """Return the pids of a channel's accounts once all of them run."""
    while time.monotonic() < until:
        status = await daemon.wait(lambda status: True)
        rows = [row for row in status["accounts"].values() if row["channel"] == channel]
        if rows and all(row["phase"] == "running" for row in rows):
            return [row["pid"] for row in rows]
        await asyncio.sleep(0.01)
    raise TimeoutError(f"the accounts of {channel} do not all run: {daemon.output.read_text()}")


async def measure_rounds(count: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Measure both in turn; return the figures of all rounds."""
    found: dict[str, dict[str, list[float]]] = {"calm": {}, "slow": {}}
    for _ in range(rounds):
        for name, busy in (("calm", 0.0), ("slow", seconds)):
            for figure, value in (await measure(count, busy)).items():
                found[name].setdefault(figure, []).append(value)
    return found


def report(result: dict[str, Any]) -> str:
    """Return the figures as a table, with what is wanted of them."""
    calm, slow = result["calm"], result["slow"]
    labels = {
        "start": ("exec of `trunkline up` → all accounts of `local` run, s", "≤ 1.5 × calm"),
        "pss": ("an idle account of `local`, PSS MiB", "± 0.5"),
        "others": ("exec of `trunkline up` → the other channel's accounts run, s", ""),
    }
    rows = [
        [label, str(Spread.of(calm[name])), str(Spread.of(slow[name])), wanted]
        for name, (label, wanted) in labels.items()
    ]
    return table([f"median (lowest–highest) of {len(calm['pss'])}", "calm", "slow", "wanted"], rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.slow_import", description=__doc__)
    parser.add_argument("--accounts", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    must_measure()
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(measure_rounds(args.accounts, args.seconds, args.rounds))
    print(report(result))
    print(f"\n{machine.sentence(about)}")
    if args.json:
        args.json.write_text(json.dumps({"machine": about, "slowImport": result}, indent=1))


if __name__ == "__main__":
    main()

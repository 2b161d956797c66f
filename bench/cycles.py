"""Crashes and restarts real workers thousands of times to find leaks of the supervisor.

    python -m bench.cycles [--cycles 10000] [--json FILE] [--publish]

The real daemon under a policy that waits a millisecond; four accounts are killed with SIGKILL as
soon as they are ready, again and again, beside twelve calm ones. The supervisor's open files and
its resident memory are read while everything runs and nothing happens, after a tenth of the
cycles and at the end. Exits with 1 when it holds more files, or more than 2 MiB more memory.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench import machine
from bench.measuring.figures import fixed, percentile, table
from bench.measuring.processes import must_measure
from bench.measuring.rows import Rows, down, rows_of, up
from bench.tied import TiedDaemon
from tests.support.daemon import Daemon
from tests.support.short_directory import ShortDirectory

MIB = 2**20
ALLOWED_BYTES = 2 * MIB
LANES = 4  # accounts that crash: one more would be taken for a storm, and starts be paced
CALM = 12
SETTLE = 2.0  # seconds
REPORT = machine.ROOT / "docs" / "bench" / "cycles.md"


@dataclass(frozen=True, slots=True)
class SupervisorUse:
    """Open files and memory of the supervisor after so many cycles."""

    cycles: int
    fds: int
    rss_bytes: int
    processes: int  # of the whole daemon

    @classmethod
    def take(cls, daemon: Daemon, cycles: int) -> SupervisorUse:
        """Read the figures from outside the process."""
        family = daemon.family()
        supervisor = family[-1]
        return cls(cycles, supervisor.num_fds(), supervisor.memory_info().rss, len(family))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result. ``seen`` are the seconds from each kill to the change of phase."""

    early: SupervisorUse
    late: SupervisorUse
    seconds: float
    seen: list[float]
    calm_restarts: int

    @property
    def faults(self) -> list[str]:
        """The leaks that were found."""
        found = []
        if self.late.fds != self.early.fds:
            found.append(f"{self.late.fds - self.early.fds} open files more")
        if self.late.rss_bytes > self.early.rss_bytes + ALLOWED_BYTES:
            found.append(f"{(self.late.rss_bytes - self.early.rss_bytes) / MIB:.1f} MiB more")
        if self.late.processes != self.early.processes:
            found.append(f"{self.late.processes - self.early.processes} processes more")
        if self.calm_restarts:
            found.append(f"{self.calm_restarts} restarts of calm accounts")
        return found

    def report(self) -> str:
        """Return the figures as a table."""
        rows = [
            [f"after {each.cycles:,} cycles", str(each.fds), f"{each.rss_bytes / MIB:.2f}",
             str(each.processes)]
            for each in (self.early, self.late)
        ]  # fmt: skip
        head = ["supervisor", "open files", "RSS, MiB", "processes of the daemon"]
        seen = [percentile(self.seen, share) * 1e3 for share in (0.5, 0.99)]
        return (
            f"{table(head, rows)}\n\n"
            f"{self.late.cycles:,} cycles in {self.seconds:.0f} s, "
            f"{self.late.cycles / self.seconds:.0f} per second. Kill → crash seen: p50 "
            f"{fixed(seen[0])} ms, p99 {fixed(seen[1])} ms, with {LANES} crashing at a time. "
            f"Restarts of the calm accounts: {self.calm_restarts}."
        )


def config() -> dict[str, Any]:
    """Return the accounts that crash, the calm ones, and a policy with a very short backoff."""
    fast = {"initialSeconds": 0.001, "maximumSeconds": 0.001, "jitter": 0, "slowAfter": 10**9}
    names = [*(f"crash{number}" for number in range(LANES)), *(f"calm{n}" for n in range(CALM))]
    return {
        "channels": {"local": {"accounts": {name: {} for name in names}}},
        "supervisor": {"restart": fast},
        "agents": {"default": "none"},
        # As ever but small, so that the logs have been rotated before the first look.
        "logging": {"maxBytes": 200_000},
    }


async def measure(daemon: Daemon, cycles: int) -> Outcome:
    """Run ``cycles`` crashes and restarts; the daemon has the configuration of ``config``."""
    whole = LANES + CALM
    await daemon.wait(
        lambda s: sum(r["phase"] == "running" for r in s["accounts"].values()) == whole
    )
    seen: list[float] = []
    began = time.monotonic()
    async with rows_of(daemon) as rows:
        await _crash(rows, cycles // 10, seen)
        early = await _usage(daemon, cycles // 10)
        await _crash(rows, cycles - cycles // 10, seen)
        late = await _usage(daemon, cycles)
    rested = (await daemon.status())["accounts"]
    restarts = sum(rested[f"local:calm{number}"]["restarts"] for number in range(CALM))
    return Outcome(early, late, time.monotonic() - began, seen, restarts)


async def _crash(rows: Rows, cycles: int, seen: list[float]) -> None:
    """Crash the accounts of all lanes, ``cycles`` times together; all run again afterwards."""
    left = itertools.repeat(None, cycles)
    async with asyncio.TaskGroup() as tasks:
        for number in range(LANES):
            tasks.create_task(_lane(rows, f"local:crash{number}", left, seen))


async def _lane(rows: Rows, key: str, left: Any, seen: list[float]) -> None:
    await rows.until(key, up())
    for _ in left:
        row = rows.newest[key]
        killed = time.monotonic()
        os.kill(row["pid"], signal.SIGKILL)
        seen.append(await rows.until(key, down) - killed)
        await rows.until(key, up(after=row["incarnation"]))


async def _usage(daemon: Daemon, cycles: int) -> SupervisorUse:
    """Count once all is idle, when log readers of dead workers and old zombies are gone."""
    await asyncio.sleep(SETTLE)
    least = SupervisorUse.take(daemon, cycles)
    for _ in range(10):  # a client's socket, a process that is just being forked
        await asyncio.sleep(0.1)
        again = SupervisorUse.take(daemon, cycles)
        least = min(least, again, key=lambda each: (each.fds, each.processes))
    return least


async def run(cycles: int) -> Outcome:
    """Start a daemon, run the crashes, and stop it."""
    with ShortDirectory() as place:
        daemon = TiedDaemon(place, config())
        try:
            await daemon.start()
            return await measure(daemon, cycles)
        finally:
            await daemon.__aexit__()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.cycles", description=__doc__)
    parser.add_argument("--cycles", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--publish", action="store_true", help=f"write {REPORT.name} too")
    args = parser.parse_args()
    must_measure()
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(run(args.cycles))
    text = f"{outcome.report()}\n\n{machine.sentence(about)}\n"
    print(text)
    if args.json:
        found = asdict(outcome) | {"seen": None, "machine": about}
        args.json.write_text(json.dumps(found, indent=1))
    if args.publish:
        REPORT.write_text(f"# Crash and restart, {args.cycles:,} times\n\n{text}")
    for fault in outcome.faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())

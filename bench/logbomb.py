"""Measures the supervisor's cost of a worker that prints endlessly.

    python -m bench.logbomb [--rate 100] [--seconds 5] [--json FILE] [--publish]

The real daemon, one account that prints ``--rate`` megabytes a second in lines of several lengths,
and a calm one. The supervisor's CPU is ``schedstat`` over the window; a row has how much it read,
and how much of that was kept. Exits with 1 when a line length costs more than 20 % of a core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench import machine
from bench.measuring.figures import table
from bench.measuring.processes import cpu_ns, must_measure
from bench.tied import TiedDaemon
from tests.support import faulty
from tests.support.short_directory import ShortDirectory

ALLOWED = 20.0  # % of a core at 100 MB/s
LENGTHS = (2, 20, 100, 1000, 100_000)  # bytes of a line; the log cuts them at 16 KiB
SETTLE = 0.5  # seconds
BOMBER = "faulty:bomber"
REPORT = machine.ROOT / "docs" / "bench" / "logbomb.md"


@dataclass(frozen=True, slots=True)
class Bomb:
    """The result for one length of line. ``read_mb`` is per second, ``kept_lines`` too."""

    length: int
    cpu_percent: float
    read_mb: float
    kept_lines: float
    restarts: int


def config() -> dict[str, Any]:
    """Return the account that prints and a calm one."""
    return {
        "channels": {
            "faulty": {"accounts": {"bomber": {}}},
            "local": {"accounts": {"calm": {}}},
        },
        "agents": {"default": "none"},
    }


async def measure(length: int, rate: int, seconds: float) -> Bomb:
    """Make an account print lines of ``length`` bytes for ``seconds``, and measure."""
    with ShortDirectory() as place:
        site = place / "site"
        site.mkdir()
        daemon = TiedDaemon(place, config(), site=str(faulty.install(site)))
        try:
            await daemon.start()
            for key in (BOMBER, "local:calm"):
                await daemon.wait_phase(key, "running")
            return await _window(daemon, length, rate, seconds)
        finally:
            await daemon.__aexit__()


async def _window(daemon: TiedDaemon, length: int, rate: int, seconds: float) -> Bomb:
    pid = (await daemon.status())["accounts"][BOMBER]["pid"]
    order = {"channel": "faulty", "accountId": "bomber", "to": "x"}
    async with await daemon.client() as client:
        text = f"bomb {rate} {length}"
        await client.call("send", order | {"message": text, "idempotencyKey": "1"})
    await asyncio.sleep(SETTLE)
    before = _look(daemon, pid)
    await asyncio.sleep(seconds)
    after = _look(daemon, pid)
    passed = after[0] - before[0]
    rows = (await daemon.status())["accounts"]
    kept = _kept(daemon) / (passed + SETTLE)
    return Bomb(
        length=length,
        cpu_percent=(after[1] - before[1]) / passed / 1e7,
        read_mb=(after[2] - before[2]) / passed / 1e6,
        kept_lines=kept,
        restarts=sum(row["restarts"] for row in rows.values()),
    )


def _look(daemon: TiedDaemon, pid: int) -> tuple[float, int, int]:
    """Return the time, the supervisor's CPU time in ns and the bytes written by the worker."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("wchar:"):
            return time.monotonic(), cpu_ns(daemon.pid), int(line.split()[1])
    raise OSError("no wchar in /proc/PID/io")


def _kept(daemon: TiedDaemon) -> int:
    logs = (daemon.directory / "state" / "logs").glob(f"{BOMBER}.log*")
    return sum(path.read_bytes().count(b"\n") for path in logs)


def report(found: Sequence[Bomb]) -> str:
    """Return the figures as a table."""
    head = [
        "bytes per line",
        "supervisor, % of a core",
        "read, MB/s",
        "lines kept per s",
        "restarts",
    ]
    rows = [
        [f"{each.length:,}", f"{each.cpu_percent:.1f}", f"{each.read_mb:.0f}",
         f"{each.kept_lines:.0f}", str(each.restarts)]
        for each in found
    ]  # fmt: skip
    return table(head, rows)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.logbomb", description=__doc__)
    parser.add_argument("--rate", type=int, default=100, help="MB/s")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--publish", action="store_true", help=f"write {REPORT.name} too")
    args = parser.parse_args()
    must_measure()
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = [runner.run(measure(each, args.rate, args.seconds)) for each in args.lengths]
    text = f"{report(found)}\n\n{machine.sentence(about)}\n"
    print(text)
    if args.json:
        rows = [asdict(each) for each in found]
        args.json.write_text(json.dumps({"machine": about, "bombs": rows}, indent=1))
    if args.publish:
        REPORT.write_text(f"# A worker that prints {args.rate} MB a second\n\n{text}")
    dear = [each for each in found if each.cpu_percent > ALLOWED or each.restarts]
    for each in dear:
        print(f"FAULT: lines of {each.length} bytes: {each}", file=sys.stderr)
    return 1 if dear else 0


if __name__ == "__main__":
    sys.exit(main())

"""Measures many ``local`` accounts under the real daemon: start, memory, CPU, crash detection.

    python -m bench.accounts [--count 60] [--json FILE]

Every figure comes from outside: ``/proc`` and the frames on ``cli.sock``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from bench import coldstart, machine
from bench.measuring.figures import fixed, percentile, table
from bench.measuring.processes import cpu_ns, must_measure, pss_bytes, until_quiet
from bench.measuring.rows import down, rows_of, up
from bench.tied import TiedDaemon
from tests.support.short_directory import ShortDirectory

BACKOFF = 0.2  # seconds; without jitter, so that it can be subtracted
IDLE_SECONDS = 15.0  # three beats at the default
VICTIMS = 4
KILLS = 200  # so that two of them are the slowest hundredth


def config(count: int) -> dict[str, Any]:
    """Return a configuration of ``count`` idle accounts."""
    # Late enough that many kills of one account are no crash loop here.
    restart = {"initialSeconds": BACKOFF, "maximumSeconds": BACKOFF, "jitter": 0, "slowAfter": 200}
    accounts: dict[str, Any] = {f"a{number:03}": {} for number in range(count)}
    return {
        "channels": {"local": {"accounts": accounts}},
        "supervisor": {"restart": restart},
        "agents": {"default": "none"},
    }


async def measure(count: int, kills: int = KILLS, idle: float = IDLE_SECONDS) -> dict[str, Any]:
    """Run ``count`` accounts and return every figure."""
    with ShortDirectory() as place:
        daemon = TiedDaemon(place, config(count))
        began = time.monotonic()
        try:
            await daemon.start()
            answered = time.monotonic() - began
            ready = await all_running(daemon) - began
            status = await daemon.status()
            await coldstart.load_http_server(daemon.port)  # it would come amid the measurement
            await until_quiet([daemon.pid, status["gateway"]["pid"]])
            found = {
                "accounts": count,
                "firstAnswerSeconds": answered,
                "allReadySeconds": ready,
                **await _at_rest(daemon, status, idle),
                **await _crashes(daemon, status, kills),
            }
        finally:
            began = time.monotonic()
            await daemon.__aexit__()
        found["stopSeconds"] = time.monotonic() - began
        return found


async def all_running(daemon: TiedDaemon) -> float:
    """Return when the last account came up.

    Events say so: asking again and again for hundreds of rows would keep the supervisor from
    starting them.
    """
    async with rows_of(daemon) as rows:
        return max([await rows.until(key, up()) for key in list(rows.newest)])


async def _at_rest(daemon: TiedDaemon, status: dict[str, Any], seconds: float) -> dict[str, Any]:
    gateway = status["gateway"]["pid"]
    workers = [row["pid"] for row in status["accounts"].values()]
    others = {one.pid for one in daemon.family()} - {daemon.pid, gateway, *workers}
    groups = {"supervisor": [daemon.pid], "gateway": [gateway], "workers": workers}
    before = {name: sum(map(cpu_ns, pids)) for name, pids in groups.items()}
    began = time.monotonic()
    await asyncio.sleep(seconds)
    passed = time.monotonic() - began
    used = {name: sum(map(cpu_ns, pids)) - before[name] for name, pids in groups.items()}
    memory = [pss_bytes(pid) / 2**20 for pid in workers]
    return {
        "idleCpuPercent": {name: ns / passed / 1e7 for name, ns in used.items()},
        "pssMiB": {
            "worker": sum(memory) / len(memory),
            "workerMost": max(memory),
            "supervisor": pss_bytes(daemon.pid) / 2**20,
            "gateway": pss_bytes(gateway) / 2**20,
            "zygote": sum(pss_bytes(pid) for pid in others) / 2**20,
        },
    }


async def _crashes(daemon: TiedDaemon, status: dict[str, Any], kills: int) -> dict[str, Any]:
    """Kill workers one after the other; return when that was seen and when they were back."""
    seen, back = [], []
    # Always the same few: one more would be taken for a storm, and its starts be paced.
    keys = list(status["accounts"])[:VICTIMS]
    async with rows_of(daemon) as rows:
        for number in range(kills):
            key = keys[number % len(keys)]
            row = rows.newest[key]
            killed = time.monotonic()
            os.kill(row["pid"], signal.SIGKILL)
            seen.append(await rows.until(key, down) - killed)
            again = await rows.until(key, up(after=row["incarnation"]))
            back.append(again - killed - BACKOFF)
    return {
        "crashSeenMs": _milliseconds(seen),
        "replacementReadyMs": _milliseconds(back),
    }


def _milliseconds(values: list[float]) -> dict[str, float]:
    return {
        "p50": percentile(values, 0.5) * 1e3,
        "p90": percentile(values, 0.9) * 1e3,
        "p99": percentile(values, 0.99) * 1e3,
        "max": max(values, default=math.nan) * 1e3,
    }


def report(results: list[dict[str, Any]]) -> str:
    """Return the figures as a table, one column per number of accounts."""
    rows: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
        ("exec → first answer, s", lambda r: f"{r['firstAnswerSeconds']:.2f}"),
        ("exec → all ready, s", lambda r: f"{r['allReadySeconds']:.2f}"),
        ("PSS per worker, MiB", lambda r: f"{r['pssMiB']['worker']:.2f}"),
        ("PSS supervisor, MiB", lambda r: f"{r['pssMiB']['supervisor']:.1f}"),
        ("PSS gateway, MiB", lambda r: f"{r['pssMiB']['gateway']:.1f}"),
        ("PSS zygote, MiB", lambda r: f"{r['pssMiB']['zygote']:.1f}"),
        ("idle CPU supervisor, % of a core", lambda r: _cpu(r, "supervisor")),
        ("idle CPU gateway, % of a core", lambda r: _cpu(r, "gateway")),
        ("idle CPU all workers, % of a core", lambda r: _cpu(r, "workers")),
        ("kill → crash seen, p50 / p99 / max ms", lambda r: _latency(r, "crashSeenMs")),
        (
            "kill → replacement ready beyond backoff, the same",
            lambda r: _latency(r, "replacementReadyMs"),
        ),
        ("stop everything, s", lambda r: f"{r['stopSeconds']:.2f}"),
    ]
    head = ["", *(f"{result['accounts']} accounts" for result in results)]
    return table(head, [[name, *(show(each) for each in results)] for name, show in rows])


def _cpu(result: dict[str, Any], who: str) -> str:
    return f"{result['idleCpuPercent'][who]:.2f}"


def _latency(result: dict[str, Any], what: str) -> str:
    found = result[what]  # what an earlier revision has published had no p99
    return " / ".join(
        fixed(found[name]) if name in found else "–" for name in ("p50", "p99", "max")
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.accounts", description=__doc__)
    parser.add_argument("--count", type=int, nargs="+", default=[60])
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    must_measure()
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = [runner.run(measure(count, args.kills, args.idle)) for count in args.count]
    print(report(results))
    print(f"\n{machine.sentence(about)}")
    if args.json:
        args.json.write_text(json.dumps({"machine": about, "accounts": results}, indent=1))


if __name__ == "__main__":
    main()

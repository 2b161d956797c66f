"""Measures the costs of accounts of a platform, with the fake server of the test kit.

    python -m bench.channels slack [--count 20] [--idle 60] [--launcher exec] [--journal off]

The accounts run under the real daemon, the server in this process, without TLS. What is ready is
connected and logged in. Each worker is weighed at rest, and again when it has answered once. A
start counts from the request at ``cli.sock`` until the account is ready, its login at the server
included; a message from the moment at which somebody writes it at the server until a client of
the gateway has the event, one message at a time; where accounts have a journal, as by default, it
is on the disk by then.
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
from bench.accounts import all_running
from bench.faults.witness import Witness
from bench.measuring.figures import percentile, table
from bench.measuring.processes import cpu_ns, must_measure, pss_bytes, until_quiet
from bench.measuring.rows import restart_seconds, rows_of
from bench.platforms import PLATFORMS, Platform, timed_text
from bench.tied import TiedDaemon
from tests.support.daemon import Daemon
from tests.support.short_directory import ShortDirectory

MIB = 2**20
STARTS = 15
MESSAGES = 300
ENOUGH = 0.95  # of them, when the last has had its pause: the others are late
PAUSE = 0.02  # seconds after each message, so that they do not wait for each other


async def measure(
    channel: str, count: int, idle: float, launcher: str, journal: str | None = None
) -> dict[str, Any]:
    """Run ``count`` accounts of a channel; return every figure."""
    async with PLATFORMS[channel]() as platform:
        ids = [f"a{number:03}" for number in range(count)]
        accounts = {name: platform.account(number) for number, name in enumerate(ids)}
        common = {"launcher": launcher, "dmPolicy": "open"}  # strangers are answered
        section = {**platform.channel, **common, "accounts": accounts}
        section |= {"journal": journal} if journal else {}
        config = {"channels": {channel: section}, "gateway": platform.gateway}
        with ShortDirectory() as place:
            daemon = TiedDaemon(place, config)
            began = time.monotonic()
            try:
                await daemon.start()
                ready = await all_running(daemon) - began
                rows = (await daemon.status())["accounts"].values()
                workers = [int(row["pid"]) for row in rows]
                await until_quiet(workers)
                found = {
                    "channel": channel,
                    "accounts": count,
                    "launcher": launcher,
                    "allReadySeconds": ready,
                    "pssMiB": _weights(workers),
                    "idleCpuPercent": await _idle_cpu(workers, idle),
                }
                await platform.meet(daemon, ids)
                for number in range(count):
                    await platform.answered(number)
                await until_quiet(workers)
                found |= {"pssAnsweredMiB": _weights(workers)}
                keys = [f"{channel}:{name}" for name in ids]
                found |= {"toEventMs": await _messages(daemon, platform, keys)}
                return found | {"startMs": await _starts(daemon, keys[-1])}
            finally:
                await daemon.__aexit__()


async def _messages(daemon: Daemon, platform: Platform, keys: list[str]) -> dict[str, float]:
    """Send messages from people one after the other; return the delays until clients had them."""
    found: list[float] = []
    async with Witness(daemon, keys) as witness:
        speaking = asyncio.create_task(_until_heard(platform))
        await witness.heard()  # it is subscribed
        speaking.cancel()
        await asyncio.wait([speaking])
        witness.window()
        for number in range(MESSAGES):
            await platform.say(number % len(keys), timed_text())
            await asyncio.sleep(PAUSE)
        found = witness.window()
    if len(found) < MESSAGES * ENOUGH:
        raise RuntimeError(f"only {len(found)} of {MESSAGES} messages came")
    return {name: percentile(found, share) * 1e3 for name, share in (("p50", 0.5), ("p99", 0.99))}


async def _until_heard(platform: Platform) -> None:
    while True:
        await platform.say(0, timed_text())
        await asyncio.sleep(PAUSE)


async def _starts(daemon: Daemon, key: str) -> dict[str, float]:
    """Stop and start an account repeatedly; return the durations of its starts."""
    async with rows_of(daemon) as rows:
        found = [await restart_seconds(daemon, rows, key) * 1e3 for _ in range(STARTS)]
    return {"p50": percentile(found, 0.5), "most": max(found)}


def _weights(pids: list[int]) -> dict[str, float]:
    found = [pss_bytes(pid) / MIB for pid in pids]
    return {"median": percentile(found, 0.5), "most": max(found)}


async def _idle_cpu(pids: list[int], seconds: float) -> float:
    """Return the CPU use of each process in percent of a core."""
    before, began = sum(map(cpu_ns, pids)), time.monotonic()
    await asyncio.sleep(seconds)
    return (sum(map(cpu_ns, pids)) - before) / (time.monotonic() - began) / 1e7 / len(pids)


def report(result: dict[str, Any]) -> str:
    """Return the figures as a table."""
    idle, answered = result["pssMiB"], result["pssAnsweredMiB"]
    head = ["", f"{result['accounts']} × {result['channel']} ({result['launcher']})"]
    rows = [
        ["exec → all ready, s", f"{result['allReadySeconds']:.2f}"],
        ["PSS of an idle account, median / most MiB", _pair(idle)],
        ["PSS after one answer, the same", _pair(answered)],
        ["idle CPU of an account, % of a core", f"{result['idleCpuPercent']:.3f}"],
        ["start of one account → ready, median / most ms", _pair(result["startMs"], "p50")],
        ["message at the platform → event, p50 / p99 ms", _delays(result["toEventMs"])],
    ]
    return table(head, rows)


def _pair(found: dict[str, float], middle: str = "median") -> str:
    return f"{found[middle]:.1f} / {found['most']:.1f}"


def _delays(found: dict[str, float]) -> str:
    return f"{found['p50']:.2f} / {found['p99']:.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.channels", description=__doc__)
    parser.add_argument("channel", choices=sorted(PLATFORMS))
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds")
    parser.add_argument("--launcher", choices=("zygote", "exec"), default="zygote")
    parser.add_argument("--journal", choices=("on", "off"), help="as the channel has it by default")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    must_measure()
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(
            measure(args.channel, args.count, args.idle, args.launcher, args.journal)
        )
    print(report(result))
    print(f"\n{machine.sentence(about)}")
    if args.json:
        args.json.write_text(json.dumps({"machine": about, **result}, indent=1))


if __name__ == "__main__":
    main()

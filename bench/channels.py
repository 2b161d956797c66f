"""Measures what idle accounts of a platform cost, against the server that stands for it in tests.

    python -m bench.channels slack [--count 20] [--idle 60] [--launcher exec] [--json FILE]

The accounts run under the real daemon, the server in this process, without TLS. What is ready is
connected and logged in. Each worker is weighed at rest, and again when it has answered once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench import machine
from bench.accounts import all_running
from bench.measuring.figures import percentile, table
from bench.measuring.processes import cpu_ns, must_measure, pss_bytes, until_quiet
from bench.tied import TiedDaemon
from tests.support.short_directory import ShortDirectory
from workers.testing.fakes.discord import fake_discord
from workers.testing.fakes.discord_bots import token_of
from workers.testing.fakes.slack import fake_slack
from workers.testing.fakes.telegram import fake_telegram

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Platform:
    """A server, the fields of its accounts by their number, and having each answer once."""

    channel: dict[str, Any]
    account: Callable[[int], dict[str, Any]]
    answered: Callable[[int], Awaitable[None]]


@asynccontextmanager
async def discord() -> AsyncIterator[Platform]:
    """Serve bots of Discord."""

    def account(number: int) -> dict[str, Any]:
        return {"token": token_of(f"{number + 1}000")}

    async with fake_discord() as fake:

        async def answered(number: int) -> None:
            token = account(number)["token"]
            await fake.say(token, "hello")
            await fake.until(lambda: fake.bot(token).texts, 60)

        yield Platform({"apiRoot": fake.root}, account, answered)


@asynccontextmanager
async def slack() -> AsyncIterator[Platform]:
    """Serve apps of Slack."""

    def account(number: int) -> dict[str, Any]:
        return {"botToken": f"xoxb-b-{number}", "appToken": f"xapp-1-A{number}-s-{number}"}

    async with fake_slack() as fake:

        async def answered(number: int) -> None:
            token = account(number)["botToken"]
            await fake.say(token, "hello")
            await fake.until(lambda: fake.app(token).texts, 60)

        yield Platform({"apiRoot": fake.root}, account, answered)


@asynccontextmanager
async def telegram() -> AsyncIterator[Platform]:
    """Serve bots of Telegram."""

    def account(number: int) -> dict[str, Any]:
        return {"botToken": f"{number + 1}:AAbench"}

    async with fake_telegram() as fake:

        async def answered(number: int) -> None:
            token = account(number)["botToken"]
            await fake.say(token, "hello")
            await fake.until(lambda: fake.bot(token).texts, 60)

        yield Platform({"apiRoot": fake.root}, account, answered)


PLATFORMS: dict[str, Callable[[], AbstractAsyncContextManager[Platform]]] = {
    "discord": discord,
    "slack": slack,
    "telegram": telegram,
}


async def measure(channel: str, count: int, idle: float, launcher: str) -> dict[str, Any]:
    """Run ``count`` accounts of a channel; return every figure."""
    async with PLATFORMS[channel]() as platform:
        accounts = {f"a{number:03}": platform.account(number) for number in range(count)}
        section = {**platform.channel, "launcher": launcher, "accounts": accounts}
        with ShortDirectory() as place:
            daemon = TiedDaemon(place, {"channels": {channel: section}})
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
                for number in range(count):
                    await platform.answered(number)
                await until_quiet(workers)
                return found | {"pssAnsweredMiB": _weights(workers)}
            finally:
                await daemon.__aexit__()


def _weights(pids: list[int]) -> dict[str, float]:
    found = [pss_bytes(pid) / MIB for pid in pids]
    return {"median": percentile(found, 0.5), "most": max(found)}


async def _idle_cpu(pids: list[int], seconds: float) -> float:
    """Return the per cent of a core that each process takes."""
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
    ]
    return table(head, rows)


def _pair(weights: dict[str, float]) -> str:
    return f"{weights['median']:.1f} / {weights['most']:.1f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.channels", description=__doc__)
    parser.add_argument("channel", choices=sorted(PLATFORMS))
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds")
    parser.add_argument("--launcher", choices=("zygote", "exec"), default="zygote")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    must_measure()
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(measure(args.channel, args.count, args.idle, args.launcher))
    print(report(result))
    print(f"\n{machine.sentence(about)}")
    if args.json:
        args.json.write_text(json.dumps({"machine": about, **result}, indent=1))


if __name__ == "__main__":
    main()

"""Runs the daemon with accounts of six channels and agents: talking, starting and faulty ones."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bench import source
from bench.faults.rig import all_run
from bench.faults.witness import Witness
from bench.measuring.processes import pss_bytes
from bench.measuring.rows import Rows, restart_seconds, rows_of, up
from bench.platforms import PLATFORMS, Platform, timed_text
from bench.siblings import spoiled_telegram
from bench.siblings.agents import AGENT, AgentWitness, entries
from bench.tied import TiedDaemon
from ipc.errors import IpcError
from tests.support import bad_agent
from tests.support.agent_packages import install_kind
from tests.support.channel_packages import install as install_channel
from tests.support.short_directory import ShortDirectory

MIB = 2**20
SPEAKING = ("telegram", "discord", "slack", "irc", "local")  # people write to them at a platform
CHANNELS = ("source", *SPEAKING)  # ``source`` emits by itself
SIBLINGS = (*CHANNELS, AGENT)
TALKERS = ("t0", "t1")
STARTED = "r0"  # stopped and started again, to see how long that takes
BAD = "bad"
RATE = 5.0  # messages a second of each account that talks
LIMITS = {"memorySoftBytes": 96 * MIB, "memoryHardBytes": 128 * MIB, "recycleJitterSeconds": 0}
RESTART = {"initialSeconds": 0.2, "maximumSeconds": 0.2, "jitter": 0, "slowAfter": 200}
SLOW = "slow_sdk"  # the channel whose import keeps a core busy
BUSY = "import time\nends = time.monotonic() + {seconds}\nwhile time.monotonic() < ends: pass\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """The measurements of siblings in a window, by channel.

    ``late`` are seconds that messages took, ``starts`` seconds that starts took, ``pss`` the MiB
    of each account that talks.
    """

    late: dict[str, list[float]]
    starts: dict[str, list[float]]
    pss: dict[str, list[float]]


class SiblingRig:
    """The running daemon, its platforms and its witnesses."""

    def __init__(self, daemon: TiedDaemon, platforms: dict[str, Platform]) -> None:
        self.daemon = daemon
        self.platforms = platforms
        self.rows: Rows
        self.witnesses: dict[str, Witness | AgentWitness] = {
            channel: Witness(daemon, [f"{channel}:{name}" for name in TALKERS])
            for channel in CHANNELS
        }
        self.witnesses[AGENT] = AgentWitness(daemon, [*TALKERS], RATE)
        self._numbers = itertools.count(1)

    @property
    def talkers(self) -> list[str]:
        """The accounts that talk."""
        return [f"{channel}:{name}" for channel in SIBLINGS for name in TALKERS]

    def lives(self) -> dict[str, int]:
        """Return the incarnation of each talking account."""
        return {key: self.rows.newest[key]["incarnation"] for key in self.talkers}

    @property
    def missing(self) -> int:
        """The number of messages of talking accounts that have not arrived."""
        return sum(each.missing for each in self.witnesses.values())

    async def observe(self, quiet: float, until: float, rounds: int) -> Seen:
        """Observe for ``quiet`` seconds, then start accounts of all channels in turn.

        ``rounds`` times at least, and on until the loop's clock shows ``until``.
        """
        for each in self.witnesses.values():
            each.window()
        await asyncio.sleep(quiet)
        late = {channel: each.window() for channel, each in self.witnesses.items()}
        starts: dict[str, list[float]] = {channel: [] for channel in SIBLINGS}
        loop, done = asyncio.get_running_loop(), 0
        while done < rounds or loop.time() < until:
            for channel in SIBLINGS:
                spent = await restart_seconds(self.daemon, self.rows, f"{channel}:{STARTED}")
                starts[channel].append(spent)
                if done >= rounds and loop.time() >= until:
                    break
            done += 1
        return Seen(late, starts, self._weights())

    def _weights(self) -> dict[str, list[float]]:
        rows = self.rows.newest
        return {
            channel: [pss_bytes(rows[f"{channel}:{name}"]["pid"]) / MIB for name in TALKERS]
            for channel in SIBLINGS
        }

    async def order(self, channel: str, text: str) -> None:
        """Tell the faulty account of a channel to perform a fault; it may be unable to answer."""
        params = {"channel": channel, "accountId": BAD, "to": "7", "message": text}
        key = {"idempotencyKey": f"order-{next(self._numbers)}"}
        async with await self.daemon.client(caps=()) as client:
            with suppress(IpcError, TimeoutError):
                await client.call("send", params | key, timeout=2.0)

    async def replace(self, channel: str) -> None:
        """Restart the faulty account of a channel, and wait until it runs."""
        key = f"{channel}:{BAD}"
        before = self.rows.newest[key]["incarnation"]
        await self.daemon.call("channels.restart", {"accounts": [key]})
        await self.rows.until(key, up(after=before))


def config(platforms: dict[str, Platform]) -> dict[str, Any]:
    """Return the configuration of all accounts."""
    channels: dict[str, Any] = {
        "source": {
            "accounts": {
                **{name: {"rate": RATE} for name in TALKERS},
                STARTED: {},
                BAD: {"limits": LIMITS},
            }
        }
    }
    for channel, platform in platforms.items():
        names = [*TALKERS, STARTED, *([BAD] if channel == "telegram" else [])]
        accounts = {name: platform.account(number) for number, name in enumerate(names)}
        if BAD in accounts:
            accounts[BAD] |= {"limits": LIMITS}
        channels[channel] = {**platform.channel, "dmPolicy": "open", "accounts": accounts}
    return {
        "channels": channels,
        "agents": {
            "default": "none",
            "entries": entries((*TALKERS, STARTED), (BAD,), {"limits": LIMITS}),
        },
        "supervisor": {"restart": RESTART},
        "gateway": {"reload": {"debounceMs": 100}},
    }


@asynccontextmanager
async def sibling_rig(importing: float) -> AsyncIterator[SiblingRig]:
    """Start everything, with people who write; the slow channel imports for that many seconds."""
    async with AsyncExitStack() as stack:
        place = stack.enter_context(ShortDirectory())
        platforms = {
            channel: await stack.enter_async_context(PLATFORMS[channel]()) for channel in SPEAKING
        }
        site = place / "site"
        site.mkdir()
        source.install(site)
        spoiled_telegram.install(site)
        install_kind(site, bad_agent.KIND, bad_agent.MANIFEST)
        install_channel(site, SLOW, BUSY.format(seconds=importing))
        daemon = TiedDaemon(place, config(platforms), site=str(site))
        stack.push_async_callback(daemon.__aexit__)
        await daemon.start()
        await daemon.wait(all_run)
        for platform in platforms.values():
            await platform.meet(daemon, [*TALKERS])
        rig = SiblingRig(daemon, platforms)
        rig.rows = await stack.enter_async_context(rows_of(daemon))
        talking = asyncio.create_task(_talk(platforms))
        stack.push_async_callback(_end, talking)
        for each in rig.witnesses.values():
            await stack.enter_async_context(each)
        await asyncio.gather(*(each.heard() for each in rig.witnesses.values()))
        yield rig


async def _talk(platforms: dict[str, Platform]) -> None:
    """Send a message to each talking account, ``RATE`` times a second."""
    async with asyncio.TaskGroup() as group:
        for platform in platforms.values():
            for number in range(len(TALKERS)):
                group.create_task(_write(platform, number))


async def _write(platform: Platform, number: int) -> None:
    chance = random.Random(number)  # so that they do not write at the same time
    while True:
        await asyncio.sleep(chance.uniform(0.5, 1.5) / RATE)
        await platform.say(number, timed_text())


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

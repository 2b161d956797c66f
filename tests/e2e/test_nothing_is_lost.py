"""Random kills of every process lose no message, repeat none, and answer each once."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support import irc_server
from tests.support.daemon import Daemon
from tests.support.loss_platforms import PLATFORMS, Platform
from tests.support.loss_trial import KINDS, Trial, run_trial

pytestmark = pytest.mark.e2e


def here(channel: str) -> bool:
    """Return whether the channel's server is installed."""
    return channel != "irc" or irc_server.available("inspircd")


async def trial_of(
    place: Path, channels: list[str], names: list[str], kills: int, seed: int = 1
) -> None:
    """Run a trial on servers of ``channels`` together, and check each by itself."""
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        platforms = [
            await stack.enter_async_context(PLATFORMS[channel](names, chance))
            for channel in channels
        ]
        config = {
            "agents": {"default": "echo"},
            "queue": {"mode": "followup", "cap": 1000},
            "channels": {platform.channel: platform.config for platform in platforms},
        }
        async with Daemon(place, config) as daemon:
            trial = await run_trial(daemon, platforms, kills, chance)
        for platform in platforms:
            _report(trial, platform)


def _report(trial: Trial, platform: Platform) -> None:
    said = {label for key in platform.keys for label in trial.said[key]}
    kills, unknown = trial.kills_of(platform.channel), trial.check(platform)
    shown = ", ".join(f"{kills[kind]} {kind} ({unknown[kind]} unknown)" for kind in KINDS)
    counted = f"{len(said)} messages, {len(said & trial.old)} of them as history"
    print(f"\n{platform.channel}: {counted}; kills: {shown}")


@pytest.mark.timeout(1800)
async def test_random_kills_lose_and_repeat_no_message_of_any_channel(tmp_path: Path) -> None:
    await trial_of(tmp_path, [each for each in PLATFORMS if here(each)], ["bot1"], 60)


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_a_thousand_kills_lose_nothing(tmp_path: Path) -> None:
    await trial_of(tmp_path, [each for each in PLATFORMS if here(each)], ["bot1", "bot2"], 1000)

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.workers.channels.discord.running_bot import TOKEN, discord_api
from workers.channels.discord import missed
from workers.channels.discord.client import DiscordApi
from workers.channels.discord.missed import MissedMessages
from workers.channels.discord.objects import DiscordChannel, Guild, snowflake_at
from workers.testing.fakes.discord import fake_discord
from workers.testing.fakes.discord_bots import RestFault
from workers.testing.fakes.discord_objects import EPOCH_MS

LONG_AGO = snowflake_at(EPOCH_MS + 1_000_000_000)


def reader(api: DiscordApi, slept: list[float] | None = None) -> MissedMessages:
    async def sleep(seconds: float) -> Any:
        if slept is not None:
            slept.append(seconds)
        await asyncio.sleep(0)

    return MissedMessages(api, LONG_AGO, set(), sleep)


def channel(number: str, last: int | None, kind: int = 0) -> DiscordChannel:
    return DiscordChannel(number, kind, last_message_id=None if last is None else str(last))


async def test_only_channels_with_something_new_are_read() -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        minute = 60_000 << 22
        guild = Guild(
            "g",
            channels=[
                channel("new", LONG_AGO + 1),
                channel("a little older", LONG_AGO - minute // 2),
                channel("old", LONG_AGO - 2 * minute),
                channel("empty", None),
                channel("a forum", LONG_AGO + 1, kind=15),
            ],
            threads=[channel("thread", LONG_AGO + 1, kind=11)],
        )
        assert reader(api).channels_of(guild) == ["new", "a little older", "thread"]


@pytest.mark.parametrize(
    ("said", "most", "read", "whole"),
    [(0, 500, 0, True), (99, 500, 99, True), (100, 500, 100, True), (250, 500, 250, True),
     (250, 200, 200, False)],
)  # fmt: skip
async def test_a_channel_is_read_whole_or_its_newest(
    monkeypatch: pytest.MonkeyPatch, said: int, most: int, read: int, whole: bool
) -> None:
    monkeypatch.setattr(missed, "MOST_IN_CHANNEL", most)
    async with fake_discord() as fake, discord_api(fake) as api:
        for number in range(said):
            await fake.say(TOKEN, str(number))
        found = await reader(api).read(fake.bot(TOKEN).direct)
        assert [each.content for each in found.messages] == [
            str(number) for number in range(said - read, said)
        ]
        assert found.whole is whole


@pytest.mark.parametrize(
    ("fault", "whole", "calls"),
    [
        (RestFault("messages", status=403, code=50001), True, 1),
        (RestFault("messages", status=404, code=10003), True, 1),
        (RestFault("messages", status=400), False, 1),
        (RestFault("messages", status=500, times=2), True, 3),
        (RestFault("messages", drop="before", times=-1), False, missed.TRIES),
        (RestFault("messages", status=429, retry_after=3600.0), False, 1),
    ],
)
async def test_a_channel_that_cannot_be_read_is_retried_or_reported(
    fault: RestFault, whole: bool, calls: int
) -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        bot = fake.bot(TOKEN)
        await fake.say(TOKEN, "x")
        bot.faults.append(fault)
        slept: list[float] = []
        found = await reader(api, slept).read(bot.direct)
        assert found.whole is whole
        made = bot.calls[f"GET /channels/{bot.direct}/messages"]
        assert calls <= made <= 2 * calls, "aiohttp repeats what a closed connection has lost"
        assert len(slept) == calls - 1


async def test_so_many_channels_are_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missed, "MOST_CHANNELS", 1)
    async with fake_discord() as fake, discord_api(fake) as api:
        bot, reading = fake.bot(TOKEN), reader(api)
        assert (await reading.read(bot.direct)).whole
        assert not (await reading.read(bot.general)).whole

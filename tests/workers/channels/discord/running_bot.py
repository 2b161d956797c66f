"""A bot that runs against the fake server, in a context that remembers what it did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.support.context import RecordingContext
from tests.support.running_plugin import RunningPlugin
from workers.channels.discord.client import DiscordApi
from workers.channels.discord.config import DiscordConfig
from workers.channels.discord.plugin import Discord
from workers.messages import Outbound
from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import FakeDiscordBot, token_of

TOKEN = token_of("110")


class RunningDiscordBot(RunningPlugin):
    """The plugin, its context, and the bot at the server."""

    def __init__(self, fake: FakeDiscord, plugin: Discord, ctx: RecordingContext) -> None:
        self.fake = fake
        self.plugin = plugin
        super().__init__(plugin, ctx)

    @property
    def bot(self) -> FakeDiscordBot:
        return self.fake.bot(TOKEN)

    async def say(self, text: str = "", channel: str | None = None, **fields: Any) -> Any:
        return await self.fake.say(TOKEN, text, channel, **fields)

    def events(self) -> list[str]:
        return [each["event"] for each in self.ctx.logged]


@asynccontextmanager
async def discord_api(fake: FakeDiscord) -> AsyncIterator[DiscordApi]:
    async with aiohttp.ClientSession() as session:
        yield DiscordApi(session, fake.root, TOKEN)


def message(text: str, to: str, **fields: Any) -> Outbound:
    return Outbound(to=to, text=text, key=fields.pop("key", "k"), **fields)


@asynccontextmanager
async def starting(
    fake: FakeDiscord, directory: Path, cursor: Any = None, **config: Any
) -> AsyncIterator[RunningDiscordBot]:
    """Run a bot that need not become ready."""
    fields = {"token": TOKEN, "apiRoot": fake.root} | config
    ctx = RecordingContext(msgspec.convert(fields, DiscordConfig), directory, "discord:test")
    ctx.cursor = cursor
    bot = RunningDiscordBot(fake, Discord(ctx), ctx)
    try:
        yield bot
    finally:
        await bot.stop()


@asynccontextmanager
async def running(
    fake: FakeDiscord, directory: Path, cursor: Any = None
) -> AsyncIterator[RunningDiscordBot]:
    """Run a bot until it is ready."""
    async with starting(fake, directory, cursor) as bot:
        await bot.ctx.until_ready()
        yield bot


@asynccontextmanager
async def running_alone(directory: Path) -> AsyncIterator[RunningDiscordBot]:
    """Run a bot with a server of its own; it is ready, and knows its server."""
    async with fake_discord() as fake, running(fake, directory) as bot:
        await bot.say("are you there", bot.bot.general)
        await bot.ctx.message("are you there")
        yield bot

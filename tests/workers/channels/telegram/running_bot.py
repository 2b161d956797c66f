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
from workers.channels.telegram.client import BotApi
from workers.channels.telegram.config import TelegramConfig
from workers.channels.telegram.plugin import Telegram
from workers.messages import Outbound
from workers.testing.fakes.telegram import FakeBot, FakeTelegram, fake_telegram

TOKEN = "110:AAfakeToken_of-the-tests"


class RunningBot(RunningPlugin):
    """The plugin, its context, and the bot at the server."""

    def __init__(self, fake: FakeTelegram, plugin: Telegram, ctx: RecordingContext) -> None:
        self.fake = fake
        self.plugin = plugin
        super().__init__(plugin, ctx)

    @property
    def bot(self) -> FakeBot:
        return self.fake.bot(TOKEN)

    async def say(self, text: str = "", chat: int = 7, **fields: Any) -> dict[str, Any]:
        return await self.fake.say(TOKEN, text, chat, **fields)


@asynccontextmanager
async def bot_api(root: str, token: str) -> AsyncIterator[BotApi]:
    async with aiohttp.ClientSession() as session:
        yield BotApi(session, root, token)


def message(text: str, to: str = "7", **fields: Any) -> Outbound:
    return Outbound(to=to, text=text, key=fields.pop("key", "k"), **fields)


@asynccontextmanager
async def starting(
    fake: FakeTelegram, directory: Path, cursor: Any = None, **config: Any
) -> AsyncIterator[RunningBot]:
    """Run a bot that need not become ready."""
    fields = {"botToken": TOKEN, "apiRoot": fake.root} | config
    ctx = RecordingContext(msgspec.convert(fields, TelegramConfig), directory, "telegram:test")
    ctx.cursor = cursor
    bot = RunningBot(fake, Telegram(ctx), ctx)
    try:
        yield bot
    finally:
        await bot.stop()


@asynccontextmanager
async def running(directory: Path, cursor: Any = None, **config: Any) -> AsyncIterator[RunningBot]:
    """Run a bot with a server of its own; it is ready."""
    async with fake_telegram() as fake, starting(fake, directory, cursor, **config) as bot:
        await bot.ctx.until_ready()
        yield bot

"""An app that runs against the fake server, in a context that remembers what it did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.support.context import RecordingContext
from tests.support.running_plugin import RunningPlugin
from workers.channels.slack.client import WebApi
from workers.channels.slack.config import SlackConfig
from workers.channels.slack.objects import BotIdentity
from workers.channels.slack.plugin import Slack
from workers.errors import ChannelError
from workers.messages import Outbound
from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.fakes.slack_apps import FakeApp

BOT_TOKEN = "xoxb-fake-secretofthebot-1"
APP_TOKEN = "xapp-1-A1-secretoftheapp-1"
ME = BotIdentity(team_id="T1", user_id="UBOT1", user="bot1", team="Fake", bot_id="B1")


class RunningApp(RunningPlugin):
    """The plugin, its context, and the app at the server."""

    def __init__(self, fake: FakeSlack, plugin: Slack, ctx: RecordingContext) -> None:
        self.fake = fake
        self.plugin = plugin
        super().__init__(plugin, ctx)

    @property
    def app(self) -> FakeApp:
        return self.fake.app(BOT_TOKEN)

    async def say(self, text: str = "", channel: str = "D1", **fields: Any) -> dict[str, Any]:
        return await self.fake.say(BOT_TOKEN, text, channel, **fields)

    async def ending(self) -> ChannelError:
        """Wait until the account ends by itself; return why."""
        error = await super().ending()
        while isinstance(error, BaseExceptionGroup):
            (error,) = error.exceptions
        assert isinstance(error, ChannelError)
        return error


@asynccontextmanager
async def web_api(root: str, token: str = BOT_TOKEN) -> AsyncIterator[WebApi]:
    async with aiohttp.ClientSession() as session:
        yield WebApi(session, root, token)


def message(text: str, to: str = "D1", **fields: Any) -> Outbound:
    return Outbound(to=to, text=text, key=fields.pop("key", "k"), **fields)


@asynccontextmanager
async def starting(fake: FakeSlack, directory: Path, **config: Any) -> AsyncIterator[RunningApp]:
    """Run an app that need not become ready."""
    fields = {"botToken": BOT_TOKEN, "appToken": APP_TOKEN, "apiRoot": fake.root} | config
    ctx = RecordingContext(msgspec.convert(fields, SlackConfig), directory, "slack:test")
    app = RunningApp(fake, Slack(ctx), ctx)
    try:
        yield app
    finally:
        await app.stop()


@asynccontextmanager
async def running(directory: Path, **how: Any) -> AsyncIterator[RunningApp]:
    """Run an app with a server of its own, made as ``how``; it is ready."""
    async with fake_slack(**how) as fake, starting(fake, directory) as app:
        await app.ctx.until_ready()
        yield app

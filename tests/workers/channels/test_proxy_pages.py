"""The status of a page that a proxy sent says whether something was sent, on each channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import aiohttp.web
import pytest

from tests.support.web_server import answering
from tests.workers.channels.discord.running_bot import TOKEN as DISCORD_TOKEN
from tests.workers.channels.slack.running_app import web_api
from tests.workers.channels.telegram.running_bot import TOKEN as TELEGRAM_TOKEN
from tests.workers.channels.telegram.running_bot import bot_api
from workers.channels.discord import refusals as discord
from workers.channels.discord.client import DiscordApi
from workers.channels.slack import refusals as slack
from workers.channels.telegram import refusals as telegram
from workers.errors import ChannelError, SendFailed, Transient
from workers.web.faults import NoAnswer, Unreachable

Send = Callable[[], Awaitable[Any]]


class Channel(NamedTuple):
    """How a channel sends a message to an API at an address, and understands that it failed."""

    sender: Callable[[str], AbstractAsyncContextManager[Send]]
    refusal: type[Exception]
    failure_of: Callable[[Exception], SendFailed]
    ending_of: Callable[[Exception], ChannelError]


@asynccontextmanager
async def discord_sender(root: str) -> AsyncIterator[Send]:
    async with aiohttp.ClientSession() as session:
        api = DiscordApi(session, root, DISCORD_TOKEN)
        yield lambda: api.call("POST /channels/{}/messages", "1", body={"content": "x"})


@asynccontextmanager
async def slack_sender(root: str) -> AsyncIterator[Send]:
    async with web_api(root) as api:
        yield lambda: api.call("chat.postMessage")


@asynccontextmanager
async def telegram_sender(root: str) -> AsyncIterator[Send]:
    async with bot_api(root, TELEGRAM_TOKEN) as api:
        yield lambda: api.call("sendMessage")


CHANNELS = {
    "discord": Channel(
        discord_sender, discord.DiscordRefusal, discord.failure_of, discord.ending_of
    ),
    "slack": Channel(slack_sender, slack.SlackRefusal, slack.failure_of, slack.ending_of),
    "telegram": Channel(
        telegram_sender, telegram.ApiRefusal, telegram.failure_of, telegram.ending_of
    ),
}
# Why nothing was sent, by the status of the page; ``None``: it may have been sent.
PAGES = {
    302: "unavailable",
    401: "unavailable",
    403: "unavailable",
    404: "unavailable",
    407: "unavailable",
    413: "too_long",
    429: "rate_limited",
    200: None,
    502: None,
}
# Telegram's own limit is JSON; the others name theirs in headers, whatever the body is.
DIFFERENT = {("telegram", 429): "unavailable"}


@pytest.mark.parametrize("status", PAGES)
@pytest.mark.parametrize("name", CHANNELS)
async def test_the_page_of_a_proxy_says_by_its_status_whether_something_was_sent(
    name: str, status: int
) -> None:
    async def answer(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=status, text="<html>", content_type="text/html")

    channel, reason = CHANNELS[name], DIFFERENT.get((name, status), PAGES[status])
    async with answering(answer) as address, channel.sender(f"http://{address}") as send:
        with pytest.raises((channel.refusal, Unreachable, NoAnswer)) as found:
            await send()
    failure = channel.failure_of(found.value)
    assert (failure.maybe_sent, failure.reason) == (reason is None, reason or failure.reason)
    # The account goes on: no page of others is a refused login.
    assert isinstance(channel.ending_of(found.value), Transient)

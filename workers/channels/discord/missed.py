"""Reads from the channels the messages that came while there was no session.

When a session cannot be resumed, Discord repeats nothing. Message ids grow with time over all
channels, so a single id separates old from new everywhere: the newest that was handed on, less a
minute, because events of several channels are not in exact order. Messages that are read twice
because of that are dropped by their ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from workers.channels.discord.client import DiscordApi
from workers.channels.discord.objects import (
    TALK,
    DiscordChannel,
    DiscordMessage,
    Guild,
    Json,
    snowflake_at,
    snowflake_ms,
)
from workers.channels.discord.refusals import DiscordRefusal
from workers.web.faults import NoAnswer, Unreachable

PAGE = 100  # messages, the most that Discord gives at once
MOST_IN_CHANNEL = 500  # messages of one channel that are read
MOST_MESSAGES = 5_000  # and of all
MOST_CHANNELS = 200
SLACK_MS = 60_000
DIRECT_MESSAGES = ""  # stands for them among the servers
LONGEST_PAUSE = 60.0  # s; a channel whose turn does not come before is left out
TRIES = 5

Sleep = Callable[[float], Awaitable[Any]]


class MissedInChannel(msgspec.Struct, frozen=True):
    """The missed messages of a channel, the oldest first; ``whole``: none is left out."""

    messages: list[DiscordMessage]
    whole: bool = True


class MissedMessages:
    """The messages missed in one interruption; ``since`` is the newest that was handed on.

    ``guilds`` are the servers that Discord has not announced yet, and ``DIRECT_MESSAGES`` until
    those are read. ``reading``: some are being read. ``gaps`` are the channels not read completely.
    """

    def __init__(
        self, api: DiscordApi, since: int, guilds: set[str], sleep: Sleep = asyncio.sleep
    ) -> None:
        self.since = since
        self.guilds = guilds | {DIRECT_MESSAGES}
        self.reading = False
        self.gaps: list[str] = []
        self._api = api
        self._sleep = sleep
        self._after = snowflake_at(snowflake_ms(str(since)) - SLACK_MS)
        self._channels = MOST_CHANNELS
        self._messages = MOST_MESSAGES

    def channels_of(self, guild: Guild) -> list[str]:
        """Return the channels and threads of a server that have newer messages than ``since``."""
        return [each.id for each in [*guild.channels, *guild.threads] if self._is_new(each)]

    async def read(self, channel: str) -> MissedInChannel:
        """Return the missed messages of a channel; none if the bot may not read it."""
        found = await self._read(channel)
        if not found.whole:
            self.gaps.append(channel)
        return found

    async def _read(self, channel: str) -> MissedInChannel:
        if self._channels <= 0 or self._messages <= 0:
            return MissedInChannel([], whole=False)
        self._channels -= 1
        try:
            found = await self._page(channel, after=str(self._after))
            whole = len(found) < PAGE
            if not whole:
                found, whole = await self._newest(channel)
        except DiscordRefusal as error:
            return MissedInChannel([], whole=error.status in (403, 404))
        except (Unreachable, NoAnswer):
            return MissedInChannel([], whole=False)
        self._messages -= len(found)
        return MissedInChannel(sorted(found, key=lambda each: int(each.id)), whole)

    def _is_new(self, channel: DiscordChannel) -> bool:
        last = channel.last_message_id or ""
        return channel.type in TALK and last.isdecimal() and int(last) > self._after

    async def _newest(self, channel: str) -> tuple[list[DiscordMessage], bool]:
        """Read backwards from the newest; return also whether the beginning was reached."""
        found: list[DiscordMessage] = []
        before: Json = {}
        while len(found) < min(MOST_IN_CHANNEL, self._messages):
            page = await self._page(channel, **before)
            new = [each for each in page if int(each.id) > self._after]
            found += new
            if len(new) < PAGE:
                return found, True
            before = {"before": str(min(int(each.id) for each in new))}
        return found, False

    async def _page(self, channel: str, **where: str) -> list[DiscordMessage]:
        """Read one page of messages; wait if Discord asks to, and retry if it is unreachable."""
        for tries in range(TRIES):
            try:
                return await self._api.call(
                    "GET /channels/{}/messages",
                    channel,
                    query={"limit": str(PAGE), **where},
                    result=list[DiscordMessage],
                )
            except (DiscordRefusal, Unreachable, NoAnswer) as error:
                wait = 2.0**tries
                if isinstance(error, DiscordRefusal):
                    if error.status < 500 and error.status != 429:
                        raise
                    wait = max(wait, error.retry_after or 0.0)
                if tries == TRIES - 1 or wait > LONGEST_PAUSE:
                    raise
                await self._sleep(wait)
        raise AssertionError("the last try returns or raises")

"""Caches the names of people and channels, which events leave out.

A message never waits for a name: an unknown name is left out and looked up in the background, so
that the next message has it. Slack allows some 50 such requests a minute (its tiers 3 and 4).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from workers.channels.slack.client import WebApi
from workers.channels.slack.objects import ConversationReply, UserReply
from workers.channels.slack.refusals import SlackRefusal
from workers.messages import Chat, Happened, Inbound
from workers.web.faults import NoAnswer, Unreachable

PAUSE = 1.2  # seconds between two lookups
PAUSE_OFFLINE = 30.0  # after one that was not answered
FRESH_SECONDS = 6 * 3600.0  # then a name is asked for again, and used meanwhile
MOST_KNOWN = 2_000
MOST_WANTED = 200  # names that wait for a lookup; more are queued when they occur again

Sleep = Callable[[float], Awaitable[Any]]
News = TypeVar("News", bound=Inbound | Happened)


class KnownName(msgspec.Struct, frozen=True):
    """A name and when it was looked up, in the loop's time; ``None``: there is none."""

    name: str | None
    at: float


class SlackNames:
    """The names known to one bot; ``warn`` is called if a scope is missing.

    ``sleep`` waits between lookups.
    """

    def __init__(
        self, api: WebApi, warn: Callable[[str], None], *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._api = api
        self._warn = warn
        self._sleep = sleep
        self._now = asyncio.get_running_loop().time
        self._known: OrderedDict[str, KnownName] = OrderedDict()
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._asked = asyncio.Event()
        self._refused: set[str] = set()  # methods that the token has no scope for

    def named(self, news: News) -> News:
        """Add the names of sender and chat to a message or event, as far as they are known."""
        sender, chat = news.sender, news.chat
        if sender is not None and sender.name is None and (name := self._name(sender.id)):
            sender = msgspec.structs.replace(sender, name=name)
        if chat.kind == "group":
            chat = self._titled(chat)
        if sender is news.sender and chat is news.chat:
            return news
        return msgspec.structs.replace(news, sender=sender, chat=chat)

    async def resolve_all(self) -> None:
        """Look up wanted names one after the other until cancelled."""
        while True:
            await self._asked.wait()
            while self._wanted:
                await self._sleep(await self._resolve(next(iter(self._wanted))))
            self._asked.clear()

    def _titled(self, chat: Chat) -> Chat:
        if chat.title is not None:  # it was renamed
            self._set(chat.id, chat.title)
            return chat
        title = self._name(chat.id)
        return msgspec.structs.replace(chat, title=title) if title else chat

    def _name(self, id: str) -> str | None:
        """Return a known name; queue a lookup if it is unknown or old."""
        known = self._known.get(id)
        if known is None or self._now() - known.at > FRESH_SECONDS:
            self._queue_lookup(id)
        return known.name if known is not None else None

    def _queue_lookup(self, id: str) -> None:
        method = _method_for(id)
        if method and method not in self._refused and len(self._wanted) < MOST_WANTED:
            self._wanted[id] = None
            self._asked.set()

    def _set(self, id: str, name: str | None) -> None:
        self._known[id] = KnownName(name, self._now())
        self._known.move_to_end(id)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    async def _resolve(self, id: str) -> float:
        """Look up one name; return the seconds until the next lookup."""
        method = _method_for(id)
        try:
            self._set(id, await self._ask(method, id))
        except SlackRefusal as error:
            if error.retry_after is not None:
                return max(error.retry_after, PAUSE)  # it stays wanted
            if error.error == "missing_scope":
                self._refuse(method, error)
            else:
                self._set(id, None)
        except (Unreachable, NoAnswer):
            self._wanted.pop(id, None)
            return PAUSE_OFFLINE
        self._wanted.pop(id, None)
        return PAUSE

    async def _ask(self, method: str, id: str) -> str | None:
        if method == "users.info":
            person = await self._api.call(method, {"user": id}, result=UserReply)
            return person.user.shown_name
        found = await self._api.call(method, {"channel": id}, result=ConversationReply)
        return found.channel.name

    def _refuse(self, method: str, error: SlackRefusal) -> None:
        """Stop using a method whose scope is missing."""
        self._refused.add(method)
        for wanted in [each for each in self._wanted if _method_for(each) == method]:
            del self._wanted[wanted]
        self._warn(f"some messages have no names: {error}")


def _method_for(id: str) -> str:
    """Return the method that looks up an id; empty if there is none, as for a foreign bot."""
    if id.startswith(("U", "W")):
        return "users.info"
    return "conversations.info" if id.startswith(("C", "G")) else ""

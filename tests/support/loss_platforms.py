"""The chat servers of the loss trial: each records what people receive, and can be cut off."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.daemon import Daemon
from tests.support.irc_server import RawClient, inspircd
from tests.support.relay import Relay, relay_to
from tests.workers.channels.webhook.peer import SECRET, message, signed, verified
from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import token_of
from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.fakes.telegram import FakeTelegram, fake_telegram

CHATS = 12  # of each account
AGAIN_SECONDS = 0.2  # until the sender of a webhook sends again what was not taken
POST_SECONDS = 15.0  # for so long it waits for an answer
IRC_HISTORY = 60  # messages that a channel of the network repeats to whom joins it


class Platform:
    """A chat server with some accounts, behind a relay.

    ``per_second`` are the messages that people write to each account, ``in_order``: it keeps the
    order of a chat in what it sends again.
    """

    channel: str
    per_second = 4.0
    in_order = True

    def __init__(self, names: Sequence[str], relay: Relay) -> None:
        self.names = list(names)
        self.keys = [f"{self.channel}:{name}" for name in names]
        self._relay = relay

    @property
    def config(self) -> dict[str, Any]:
        """The channel in the configuration."""
        raise NotImplementedError

    async def meet(self, daemon: Daemon) -> None:
        """Store the addresses of the daemon, for clients that connect to it."""

    async def say(self, key: str, chat: int, text: str) -> None:
        """Write to an account as a person."""
        raise NotImplementedError

    def answers(self, key: str) -> Sequence[str]:
        """Return what people have received from the account, in order."""
        raise NotImplementedError

    async def kill(self) -> None:
        """Cut every connection, some after executing requests; return when the server is back."""
        await self._relay.cut()


class TelegramPlatform(Platform):
    """Bots of a fake Telegram, each with some private chats."""

    channel = "telegram"

    def __init__(self, names: Sequence[str], relay: Relay, fake: FakeTelegram) -> None:
        super().__init__(names, relay)
        self._fake = fake

    @property
    def config(self) -> dict[str, Any]:
        """The channel in the configuration."""
        accounts = {name: {"botToken": self._token(f"telegram:{name}")} for name in self.names}
        return {"apiRoot": f"http://127.0.0.1:{self._relay.port}", "accounts": accounts}

    async def say(self, key: str, chat: int, text: str) -> None:
        """Write to a bot as a person."""
        await self._fake.say(self._token(key), text, chat=7 + chat)

    def answers(self, key: str) -> Sequence[str]:
        """Return the texts of the bot."""
        return self._fake.bot(self._token(key)).texts

    def _token(self, key: str) -> str:
        return f"{self.keys.index(key) + 1}:AAtoken-of-a-fake-bot"


class DiscordPlatform(Platform):
    """Bots of a fake Discord, each with the direct messages of some people.

    Every third cut it forgets the sessions, as Discord does some minutes after the connection was
    lost: a bot has to read then what it has missed.
    """

    channel = "discord"

    def __init__(self, names: Sequence[str], relay: Relay, fake: FakeDiscord) -> None:
        super().__init__(names, relay)
        self._fake = fake

    @property
    def config(self) -> dict[str, Any]:
        """The channel in the configuration."""
        accounts = {name: {"token": self._token(f"discord:{name}")} for name in self.names}
        return {"apiRoot": f"http://127.0.0.1:{self._relay.port}", "accounts": accounts}

    async def say(self, key: str, chat: int, text: str) -> None:
        """Write to a bot directly as a person."""
        bot = self._fake.bot(self._token(key))
        await self._fake.say(self._token(key), text, bot.direct_with(chat))

    def answers(self, key: str) -> Sequence[str]:
        """Return the texts of the bot."""
        return self._fake.bot(self._token(key)).texts

    async def kill(self) -> None:
        """Cut it. What was said in a chat that a bot has never met it could not read later."""
        for bot in (self._fake.bot(self._token(key)) for key in self.keys):
            met = {each["channel"] for each in bot.sent if each["made"]}
            if self._relay.cuts % 3 == 2 and len(met) == CHATS:
                self._fake.gateway.forget(bot)
        await super().kill()

    def _token(self, key: str) -> str:
        return token_of(f"{self.keys.index(key) + 1}0")


class SlackPlatform(Platform):
    """Apps of a fake Slack, each with some direct conversations.

    What an app does not acknowledge comes again, each event by itself: not in order.
    """

    channel = "slack"
    per_second = 2.0  # an app may post four a second for long
    in_order = False

    def __init__(self, names: Sequence[str], relay: Relay, fake: FakeSlack) -> None:
        super().__init__(names, relay)
        self._fake = fake

    @property
    def config(self) -> dict[str, Any]:
        """The channel in the configuration."""
        accounts = {
            name: {"botToken": self._token(key), "appToken": f"xapp-1-A-secret-{number}"}
            for number, (name, key) in enumerate(zip(self.names, self.keys, strict=True), 1)
        }
        return {"apiRoot": f"http://127.0.0.1:{self._relay.port}", "accounts": accounts}

    async def say(self, key: str, chat: int, text: str) -> None:
        """Write to an app directly as a person."""
        await self._fake.say(self._token(key), text, f"D{chat}")

    def answers(self, key: str) -> Sequence[str]:
        """Return the texts of the app."""
        return self._fake.app(self._token(key)).texts

    def _token(self, key: str) -> str:
        return f"xoxb-secret-{self.keys.index(key) + 1}"


class WebhookReceiver:
    """Accepts signed answers, and drops repeated ids."""

    def __init__(self) -> None:
        self.got: defaultdict[str, dict[str, str]] = defaultdict(dict)

    async def take(self, request: web.Request) -> web.Response:
        """Accept an answer."""
        key = f"webhook:{request.match_info['name']}"
        data = verified(await request.read(), dict(request.headers))["data"]
        self.got[key].setdefault(request.headers["webhook-id"], data["text"])
        return web.json_response({})


class WebhookPlatform(Platform):
    """A service for each account that signs by Standard Webhooks.

    It sends again what was not taken, with the same id, one after the other in each chat.
    ``kill`` ends its requests too.
    """

    channel = "webhook"

    def __init__(self, names: Sequence[str], relay: Relay, receiver: WebhookReceiver) -> None:
        super().__init__(names, relay)
        self._receiver = receiver
        self._turns: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._deliveries: list[asyncio.Task[None]] = []
        self._posts: set[asyncio.Task[int]] = set()
        self._up = asyncio.Event()
        self._root = ""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=POST_SECONDS))

    @property
    def config(self) -> dict[str, Any]:
        """The channel in the configuration."""
        root = f"http://127.0.0.1:{self._relay.port}/in"
        common = {"ingress": True, "secret": SECRET, "allowPrivate": True}
        return {"accounts": {name: common | {"url": f"{root}/{name}"} for name in self.names}}

    async def meet(self, daemon: Daemon) -> None:
        """Store the address to send to."""
        self._root = f"http://127.0.0.1:{daemon.port}/channels"
        self._up.set()

    async def say(self, key: str, chat: int, text: str) -> None:
        """Begin to send a message."""
        self._deliveries.append(asyncio.create_task(self._deliver(key, chat, text)))

    def answers(self, key: str) -> Sequence[str]:
        """Return the texts that came, each id once."""
        return list(self._receiver.got[key].values())

    async def kill(self) -> None:
        """End requests being sent, and cut those being received."""
        self._up.clear()
        for each in list(self._posts):
            each.cancel()
        await super().kill()
        self._up.set()

    async def close(self) -> None:
        """End; raises what was refused for good."""
        for each in self._deliveries:
            if not each.done():
                each.cancel()
        ends = await asyncio.gather(*self._deliveries, return_exceptions=True)
        await self._session.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _deliver(self, key: str, chat: int, text: str) -> None:
        body = message(text, chat=f"c{chat}", sender="ann")
        async with self._turns[key, chat]:
            while True:
                await self._up.wait()
                post = asyncio.create_task(self._post(key, text, body))
                self._posts.add(post)
                await asyncio.wait({post})
                self._posts.discard(post)
                if not post.cancelled() and 200 <= post.result() < 300:
                    return
                await asyncio.sleep(AGAIN_SECONDS)

    async def _post(self, key: str, id: str, body: bytes) -> int:
        url = f"{self._root}/{key.replace(':', '/')}/hook"
        try:
            async with self._session.post(url, data=body, headers=signed(body, id)) as answer:
                said = await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0
        if answer.status < 500 and answer.status not in (200, 429):
            raise AssertionError(f"{key} refuses {id} with {answer.status}: {said}")
        return answer.status


class IrcPlatform(Platform):
    """A real network whose channels replay their history, with ids, to clients that join.

    The accounts have channels of their own, in which one person names them. What an account is
    told as history it passes on and does not answer: it may be old.
    """

    channel = "irc"
    per_second = 3.0

    def __init__(self, names: Sequence[str], relay: Relay, person: RawClient) -> None:
        super().__init__(names, relay)
        self._person = person
        self._got: defaultdict[str, list[str]] = defaultdict(list)
        self._reading = asyncio.create_task(self._read())

    @property
    def config(self) -> dict[str, Any]:
        """The channel in the configuration."""
        accounts = {name: {"nick": name, "channels": rooms_of(name)} for name in self.names}
        return {
            "server": "127.0.0.1",
            "port": self._relay.port,
            "tls": False,
            "floodBurst": 100,
            "floodRate": 100,
            "accounts": accounts,
        }

    async def say(self, key: str, chat: int, text: str) -> None:
        """Address the account in one of its channels."""
        name = key.partition(":")[2]
        self._person.say(rooms_of(name)[chat], f"{name}: {text}")

    def answers(self, key: str) -> Sequence[str]:
        """Return the account's messages in its channels."""
        return self._got[key]

    async def close(self) -> None:
        """Disconnect the person."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._person.close()

    async def _read(self) -> None:
        def take(line: str) -> bool:
            source, command, *rest = line.split(" ", 3)
            if command == "PRIVMSG":
                self._got[f"irc:{source[1:].partition('!')[0]}"].append(rest[-1])
            return False

        await self._person.expect(take, timeout=1e6)


def rooms_of(name: str) -> list[str]:
    """Return the channels of an account of irc."""
    return [f"#{name}-{chat}" for chat in range(CHATS)]


@contextlib.asynccontextmanager
async def telegram(names: Sequence[str], chance: random.Random) -> AsyncIterator[Platform]:
    """Run a fake Telegram."""
    async with fake_telegram() as fake, relay_to(_port(fake.root), chance) as relay:
        yield TelegramPlatform(names, relay, fake)


@contextlib.asynccontextmanager
async def discord(names: Sequence[str], chance: random.Random) -> AsyncIterator[Platform]:
    """Run a fake Discord."""
    async with fake_discord() as fake, relay_to(_port(fake.root), chance) as relay:
        fake.gateway.address = f"ws://127.0.0.1:{relay.port}/gateway"
        yield DiscordPlatform(names, relay, fake)


@contextlib.asynccontextmanager
async def slack(names: Sequence[str], chance: random.Random) -> AsyncIterator[Platform]:
    """Run a fake Slack that repeats events sooner than the real one, and without end."""
    async with (
        fake_slack(ack_seconds=2.0, resends=(0.3,) * 10_000) as fake,
        relay_to(_port(fake.root), chance) as relay,
    ):
        fake.files.root = f"http://127.0.0.1:{relay.port}"
        yield SlackPlatform(names, relay, fake)


@contextlib.asynccontextmanager
async def webhook(names: Sequence[str], chance: random.Random) -> AsyncIterator[Platform]:
    """Run a service that sends and takes webhooks."""
    receiver, app = WebhookReceiver(), web.Application()
    app.router.add_post("/in/{name}", receiver.take)
    async with TestServer(app) as server, relay_to(server.port or 0, chance) as relay:
        service = WebhookPlatform(names, relay, receiver)
        try:
            yield service
        finally:
            await service.close()


@contextlib.asynccontextmanager
async def irc(names: Sequence[str], chance: random.Random) -> AsyncIterator[Platform]:
    """Run an InspIRCd with history, and a person who is in all channels."""
    with inspircd(history=IRC_HISTORY) as server:
        async with relay_to(server.port, chance) as relay:
            rooms = [room for name in names for room in rooms_of(name)]
            person = await RawClient.connect(server, "ada", *rooms)
            person.send(*(f"MODE {room} +H {IRC_HISTORY}:3600" for room in rooms))
            network = IrcPlatform(names, relay, person)
            try:
                yield network
            finally:
                await network.close()


PLATFORMS: dict[
    str, Callable[[Sequence[str], random.Random], AbstractAsyncContextManager[Platform]]
] = {"telegram": telegram, "discord": discord, "slack": slack, "webhook": webhook, "irc": irc}


def _port(root: str) -> int:
    port = urlsplit(root).port
    assert port is not None
    return port

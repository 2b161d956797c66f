"""Runs fake servers of platforms for benchmarks of their channels.

A text that is said here begins as those that ``local`` and ``source`` make up: ``NUMBER
NANOSECONDS`` (CLOCK_MONOTONIC), so that whoever gets it knows how long it was under way.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from ipc.endpoints import local_socket
from tests.support.daemon import Daemon
from tests.support.irc_server import IrcServer, RawClient, miniircd
from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import token_of
from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.fakes.telegram import FakeTelegram, fake_telegram
from workers.web.signing import key_of, sign

_numbers = itertools.count(1)


def timed_text() -> str:
    """Return a new text that contains the current time."""
    return f"{next(_numbers)} {time.monotonic_ns()} hello"


class Platform:
    """One platform with any number of accounts; ``channel`` holds fields that all of them have.

    ``gateway`` holds fields of the section of that name which the channel needs.
    """

    channel: dict[str, Any]
    gateway: dict[str, Any] = {}

    def account(self, number: int) -> dict[str, Any]:
        """Return the fields of an account."""
        raise NotImplementedError

    async def meet(self, daemon: Daemon, ids: list[str]) -> None:
        """Connect to running accounts; number N is ``ids[N]``."""
        return  # most platforms need not

    async def say(self, number: int, text: str) -> None:
        """Let somebody write to an account."""
        raise NotImplementedError

    async def answered(self, number: int) -> None:
        """Let somebody write to an account, and wait for its answer."""
        raise NotImplementedError


class DiscordPlatform(Platform):
    """Bots of a fake Discord."""

    def __init__(self, fake: FakeDiscord) -> None:
        self._fake = fake
        self.channel = {"apiRoot": fake.root}

    def account(self, number: int) -> dict[str, Any]:
        """Return the fields of an account."""
        return {"token": token_of(f"{number + 1}000")}

    async def say(self, number: int, text: str) -> None:
        """Let somebody write to an account."""
        await self._fake.say(self.account(number)["token"], text)

    async def answered(self, number: int) -> None:
        """Let somebody write to an account, and wait for its answer."""
        await self.say(number, "hello")
        bot = self._fake.bot(self.account(number)["token"])
        await self._fake.until(lambda: bot.texts, 60)


class SlackPlatform(Platform):
    """Apps of a fake Slack."""

    def __init__(self, fake: FakeSlack) -> None:
        self._fake = fake
        self.channel = {"apiRoot": fake.root}

    def account(self, number: int) -> dict[str, Any]:
        """Return the fields of an account."""
        return {"botToken": f"xoxb-b-{number}", "appToken": f"xapp-1-A{number}-s-{number}"}

    async def say(self, number: int, text: str) -> None:
        """Let somebody write to an account."""
        await self._fake.say(self.account(number)["botToken"], text)

    async def answered(self, number: int) -> None:
        """Let somebody write to an account, and wait for its answer."""
        await self.say(number, "hello")
        app = self._fake.app(self.account(number)["botToken"])
        await self._fake.until(lambda: app.texts, 60)


class TelegramPlatform(Platform):
    """Bots of a fake Telegram."""

    def __init__(self, fake: FakeTelegram) -> None:
        self._fake = fake
        self.channel = {"apiRoot": fake.root}

    def account(self, number: int) -> dict[str, Any]:
        """Return the fields of an account."""
        return {"botToken": f"{number + 1}:AAbench"}

    async def say(self, number: int, text: str) -> None:
        """Let somebody write to an account."""
        await self._fake.say(self.account(number)["botToken"], text)

    async def answered(self, number: int) -> None:
        """Let somebody write to an account, and wait for its answer."""
        await self.say(number, "hello")
        bot = self._fake.bot(self.account(number)["botToken"])
        await self._fake.until(lambda: bot.texts, 60)


class IrcPlatform(Platform):
    """Nicks on an independent IRC server, and a user who writes to each."""

    def __init__(self, server: IrcServer) -> None:
        self._server = server
        self._person: RawClient | None = None
        self.channel = {"server": "127.0.0.1", "port": server.port, "tls": False}

    def account(self, number: int) -> dict[str, Any]:
        """Return the fields of an account."""
        return {"nick": f"bot{number}"}

    async def meet(self, daemon: Daemon, ids: list[str]) -> None:
        """Let the person come."""
        self._person = await RawClient.connect(self._server, "ada")

    async def say(self, number: int, text: str) -> None:
        """Let somebody write to an account."""
        assert self._person is not None
        self._person.say(f"bot{number}", text)
        await self._person.writer.drain()

    async def answered(self, number: int) -> None:
        """Let somebody write to an account, and wait for its answer."""
        assert self._person is not None
        await self.say(number, "hello")
        await self._person.expect(f":bot{number}!", 60)

    async def close(self) -> None:
        """Let the person go."""
        if self._person is not None:
            await self._person.close()


class LocalPlatform(Platform):
    """The sockets of accounts of ``local``, and a person at each."""

    channel: dict[str, Any] = {}

    def __init__(self) -> None:
        self._people: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    def account(self, number: int) -> dict[str, Any]:
        """Return the fields of an account."""
        return {}

    async def meet(self, daemon: Daemon, ids: list[str]) -> None:
        """Let the people come."""
        for each in ids:
            path = local_socket(daemon.run_dir, each)
            self._people.append(await asyncio.open_unix_connection(path))

    async def say(self, number: int, text: str) -> None:
        """Let somebody write to an account."""
        _, writer = self._people[number]
        writer.write(f"{text}\n".encode())
        await writer.drain()

    async def answered(self, number: int) -> None:
        """Let somebody write to an account, and wait for its answer."""
        await self.say(number, "hello")
        reader, _ = self._people[number]
        async with asyncio.timeout(60):
            await reader.readline()

    async def close(self) -> None:
        """Let the people go."""
        for _, writer in self._people:
            writer.close()


class WebhookPlatform(Platform):
    """Peers that post signed messages; what accounts send comes to a server of theirs."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._posts: list[str] = []
        self.taken: dict[str, asyncio.Event] = {}
        self.gateway = {"publicUrl": "https://chat.example"}
        self.channel = {"ingress": True, "allowPrivate": True}

    def account(self, number: int) -> dict[str, Any]:
        """Return the fields of an account."""
        secret = base64.b64encode(number.to_bytes(32, "big")).decode()
        return {"secret": f"whsec_{secret}", "url": f"{self._url}/{number}"}

    async def meet(self, daemon: Daemon, ids: list[str]) -> None:
        """Remember where messages are taken."""
        root = f"http://127.0.0.1:{daemon.port}/channels/webhook"
        self._posts = [f"{root}/{each}/hook" for each in ids]

    async def say(self, number: int, text: str) -> None:
        """Let somebody write to an account."""
        body = json.dumps({"text": text}).encode()
        name, now = f"msg_{number}_{time.monotonic_ns()}", int(time.time())
        signature = sign([key_of(self.account(number)["secret"])], name, now, body)
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(now),
            "webhook-signature": signature,
        }
        async with self._session.post(self._posts[number], data=body, headers=headers) as answer:
            answer.raise_for_status()

    async def answered(self, number: int) -> None:
        """Let somebody write to an account, and wait for its answer."""
        taken = self.taken.setdefault(f"/{number}", asyncio.Event())
        await self.say(number, "hello")
        async with asyncio.timeout(60):
            await taken.wait()


@asynccontextmanager
async def discord() -> AsyncIterator[Platform]:
    """Serve bots of Discord."""
    async with fake_discord() as fake:
        yield DiscordPlatform(fake)


@asynccontextmanager
async def slack() -> AsyncIterator[Platform]:
    """Serve apps of Slack."""
    async with fake_slack() as fake:
        yield SlackPlatform(fake)


@asynccontextmanager
async def telegram() -> AsyncIterator[Platform]:
    """Serve bots of Telegram."""
    async with fake_telegram() as fake:
        yield TelegramPlatform(fake)


@asynccontextmanager
async def irc() -> AsyncIterator[Platform]:
    """Serve nicks on miniircd."""
    with miniircd() as server:
        platform = IrcPlatform(server)
        try:
            yield platform
        finally:
            await platform.close()


@asynccontextmanager
async def local() -> AsyncIterator[Platform]:
    """Connect to the sockets of ``local``."""
    platform = LocalPlatform()
    try:
        yield platform
    finally:
        await platform.close()


@asynccontextmanager
async def webhook() -> AsyncIterator[Platform]:
    """Serve the peers of webhooks."""
    app = web.Application()
    runner = web.AppRunner(app, access_log=None)

    async def take(request: web.Request) -> web.Response:
        platform.taken.setdefault(request.path, asyncio.Event()).set()
        return web.Response()

    app.router.add_post("/{account}", take)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as session:
            platform = WebhookPlatform(session, url)
            yield platform
    finally:
        await runner.cleanup()


PLATFORMS: dict[str, Callable[[], AbstractAsyncContextManager[Platform]]] = {
    "discord": discord,
    "irc": irc,
    "local": local,
    "slack": slack,
    "telegram": telegram,
    "webhook": webhook,
}

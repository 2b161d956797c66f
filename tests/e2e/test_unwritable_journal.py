"""Accounts of Discord, Slack and webhook while nothing can be stored, and once that is over.

What is not stored is not taken from the platform; it comes once, in order, when it can be stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ipc.errors import RemoteError
from ipc.frames.words import JOURNAL_FULL, UNAVAILABLE
from ipc.websocket.client import Client
from ipc.websocket.reconnecting import ReconnectingClient
from runtime.gateway.journal.waiting import unstored
from tests.support.answers import ECHO as ANSWER
from tests.support.daemon import ECHO, Daemon
from tests.support.ordinary_user import obedient
from tests.support.restarts import kill_gateway
from tests.support.tiny_disk import fill, tiny_disk
from tests.support.watching import watching
from tests.workers.channels.webhook.peer import SECRET, message, signed, verified
from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import token_of
from workers.testing.fakes.slack import FakeSlack, fake_slack

pytestmark = pytest.mark.e2e

DISCORD, SLACK, WEBHOOK = KEYS = ("discord:bot", "slack:app", "webhook:ci")
TOKEN = token_of("10")
BOT, APP = "xoxb-secretofthebot-1", "xapp-1-A1-secretoftheapp-1"
SAID = [f"said {number}" for number in range(4)]  # while nothing can be stored
KEPT = "it is sent if there is room again"
FULL, READ_ONLY, NO_WRITES = "full disk", "read-only file", "failing writes"


class Peer:
    """Sends messages in order by signed requests, each until it is taken, and receives answers.

    ``refusals`` are the status and ``Retry-After`` of the requests that did not take a message.
    """

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refusals: list[tuple[int, str | None]] = []
        self.received: list[str] = []
        self._unsent: asyncio.Queue[str] = asyncio.Queue()

    def say(self, text: str) -> None:
        """Queue a message."""
        self._unsent.put_nowait(text)

    async def receive(self, request: web.Request) -> web.Response:
        """Accept an answer, or a message of a client."""
        data = verified(await request.read(), dict(request.headers))["data"]
        self.received.append(data["text"])
        return web.json_response({})

    async def send_all(self, port: int) -> None:
        """Send the queued messages until cancelled."""
        url = f"http://127.0.0.1:{port}/channels/webhook/ci/hook"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
            while True:
                text = await self._unsent.get()
                while not await self._is_taken(session, url, text):  # noqa: ASYNC110 - as peers do
                    await asyncio.sleep(0.2)
                self.taken.append(text)

    async def _is_taken(self, session: aiohttp.ClientSession, url: str, text: str) -> bool:
        body = message(text, chat="ops", sender="ann")
        headers = signed(body, f"msg_{text.replace(' ', '_')}")
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                if answer.status != 200:
                    self.refusals.append((answer.status, answer.headers.get("Retry-After")))
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):  # of a gateway that is killed
            return False


class Platforms:
    """The three platforms: what people write there, what was taken, and what they get."""

    def __init__(self, discord: FakeDiscord, slack: FakeSlack, peer: Peer) -> None:
        self.peer = peer
        self.bot, self.app = discord.bot(TOKEN), slack.app(BOT)
        self._discord, self._slack = discord, slack
        self._targets = {DISCORD: self.bot.direct, SLACK: "D1", WEBHOOK: "ops"}

    async def say(self, *texts: str) -> None:
        """Write to each account as a person."""
        for text in texts:
            await self._discord.say(TOKEN, text)
            await self._slack.say(BOT, text)
            self.peer.say(text)

    def message_to(self, key: str, text: str) -> dict[str, Any]:
        """Return the params of ``send`` for a message that an account is to send."""
        channel, _, account = key.partition(":")
        where = {"channel": channel, "accountId": account, "to": self._targets[key]}
        return {**where, "message": text, "idempotencyKey": text}

    def received(self, key: str) -> list[str]:
        """Return the texts that people have from an account, in order."""
        texts = {DISCORD: self.bot.texts, SLACK: self.app.texts, WEBHOOK: self.peer.received}
        return list(texts[key])

    def answers(self, key: str) -> list[str]:
        """Return which messages an account has answered, in order of the answers."""
        texts = self.received(key)
        return [each.removeprefix(ANSWER) for each in texts if each.startswith(ANSWER)]

    def acknowledged(self) -> tuple[int, int]:
        """Return how many messages Slack and the webhook's peer know to be taken."""
        return len(self.app.acknowledged), len(self.peer.taken)

    def position_before(self, text: str) -> int:
        """Return the number of the last event of Discord before a message."""
        assert self.bot.session is not None
        frames = self.bot.session.sent
        return int(next(each["s"] for each in frames if each["d"].get("content") == text)) - 1

    def resumed_at(self) -> list[int]:
        """Return the numbers of the events after which Discord was asked to continue."""
        return [int(each["d"]["seq"]) for each in self.bot.heard if each["op"] == 6]


@asynccontextmanager
async def running(directory: Path, fault: str) -> AsyncIterator[tuple[Daemon, Platforms]]:
    """Run the platforms and a daemon, in which ``fault`` can be made, with all answers given."""
    prefix = obedient() if fault == READ_ONLY else ()
    async with AsyncExitStack() as stack:
        if fault == FULL:
            stack.enter_context(tiny_disk(directory / "state", 16))
        discord = await stack.enter_async_context(fake_discord())
        again = (0.3,) * 100  # so that no test has to wait for a minute
        slack = await stack.enter_async_context(fake_slack(ack_seconds=2.0, resends=again))
        peer, app = Peer(), web.Application()
        app.router.add_post("/in", peer.receive)
        server = await stack.enter_async_context(TestServer(app))
        url = f"http://127.0.0.1:{server.port}/in"
        daemon = Daemon(directory, configuration(discord, slack, url))
        daemon.prefix = prefix
        await stack.enter_async_context(daemon)
        for key in KEYS:
            await daemon.wait_phase(key, "running")
        sending = asyncio.create_task(peer.send_all(daemon.port))
        stack.callback(sending.cancel)
        platforms = Platforms(discord, slack, peer)
        await platforms.say("before")
        await answered(daemon, platforms, ["before"])
        await daemon.wait(lambda now: platforms.acknowledged() == (1, 1))
        await daemon.wait(lambda now: not any(now["accounts"][key]["queued"] for key in KEYS))
        yield daemon, platforms


def configuration(discord: FakeDiscord, slack: FakeSlack, url: str) -> dict[str, Any]:
    webhook = {"ingress": True, "secret": SECRET, "url": url, "allowPrivate": True}
    channels = {
        "discord": {"apiRoot": discord.root, "accounts": {"bot": {"token": TOKEN}}},
        "slack": {"apiRoot": slack.root, "accounts": {"app": {"botToken": BOT, "appToken": APP}}},
        "webhook": {"accounts": {"ci": webhook}},
    }
    return ECHO | {
        "queue": {"mode": "followup", "cap": 1000},
        "channels": channels,
        "ingress": {"withinSeconds": 1},
        "supervisor": {"beatSeconds": 0.5},
    }


@asynccontextmanager
async def full_disk(daemon: Daemon) -> AsyncIterator[str]:
    """Fill the disk of the state directory; yield the fault that is reported."""
    filler = fill(daemon.directory / "state")
    try:
        yield JOURNAL_FULL
    finally:
        filler.unlink()


@asynccontextmanager
async def read_only_file(daemon: Daemon) -> AsyncIterator[str]:
    """Make the journal read-only, for a next gateway."""
    path = daemon.directory / "state" / "journal.db"
    path.chmod(0o400)
    try:
        await kill_gateway(daemon)
        cure = f"you have no right to write {path}: `chmod u+rw {path}`"
        yield f"{path} cannot be opened: it is read-only; {cure}"
    finally:
        path.chmod(0o600)


@asynccontextmanager
async def failing_writes(daemon: Daemon) -> AsyncIterator[str]:
    """Forbid the gateway to write files."""
    pid = (await daemon.status())["gateway"]["pid"]
    old = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield "journal: disk I/O error"
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, old)


FAULTS: dict[str, Callable[[Daemon], AbstractAsyncContextManager[str]]] = {
    FULL: full_disk,
    READ_ONLY: read_only_file,
    NO_WRITES: failing_writes,
}


async def answered(daemon: Daemon, platforms: Platforms, said: list[str]) -> None:
    """Wait until all accounts have answered, and nothing is to be sent any more."""
    await daemon.wait(lambda now: all(set(said) <= set(platforms.answers(key)) for key in KEYS))
    async with daemon.reconnecting() as client:
        async with asyncio.timeout(30):
            while (await client.call("status"))["outbox"]["depth"]:  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.1)


async def send_until_refused(
    client: Client | ReconnectingClient, platforms: Platforms
) -> list[str]:
    """Send until nothing can be stored; return the texts that were sent or will be.

    On a full disk some may still have room.
    """
    texts: list[str] = []
    refusal: RemoteError | None = None
    while refusal is None:
        text = f"queued {len(texts)}"
        try:
            await client.call("send", platforms.message_to(WEBHOOK, text) | {"queue": True})
            texts.append(text)
            await asyncio.sleep(0.1)
        except RemoteError as error:
            refusal = error
    assert (refusal.code, "nothing can be stored" in refusal.message) == (UNAVAILABLE, True)
    return [*texts, text] if KEPT in refusal.message else texts


async def degraded(daemon: Daemon, reason: str, *keys: str) -> dict[str, Any]:
    """Wait until accounts show why nothing is stored; return the status."""
    shown = f"degraded: {reason}"
    return await daemon.wait(
        lambda now: all(now["accounts"][key]["health"] == shown for key in keys)
    )


async def not_taken(daemon: Daemon, platforms: Platforms, before: tuple[int, int]) -> None:
    """Wait until all accounts hold messages; nothing that they hold may be acknowledged."""
    refused = len(platforms.peer.refusals)
    await daemon.wait(lambda now: len(platforms.peer.refusals) >= refused + 2)
    assert platforms.acknowledged() == before
    for status, retry_after in platforms.peer.refusals:
        assert status == 504 or (status == 503 and retry_after is not None)


def pids(status: dict[str, Any]) -> dict[str, Any]:
    """Return the processes of the gateway and the accounts."""
    return {each: status["accounts"][each]["pid"] for each in KEYS} | {
        "gateway": status["gateway"]["pid"]
    }


def stored(daemon: Daemon) -> dict[str, int]:
    """Return how many messages the journal of a daemon that has ended knows, by account."""
    with contextlib.closing(sqlite3.connect(daemon.directory / "state" / "journal.db")) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        asked = (
            "SELECT key, sum(count) FROM ids JOIN account ON ids.account = account.n GROUP BY key"
        )
        return {key: count for key, count in journal.execute(asked) if key in KEYS}


@pytest.mark.parametrize(
    "fault", [FULL, READ_ONLY, pytest.param(NO_WRITES, marks=pytest.mark.slow)]
)
async def test_what_cannot_be_stored_is_not_taken_and_comes_later_once_and_in_order(
    tmp_path: Path, fault: str
) -> None:
    async with running(tmp_path, fault) as (daemon, platforms), AsyncExitStack() as faulty:
        before = platforms.acknowledged()
        reason = await faulty.enter_async_context(FAULTS[fault](daemon))
        async with watching(daemon) as watcher:
            queued = await send_until_refused(watcher.client, platforms)
            begun = pids(await degraded(daemon, reason, *KEYS))
            await platforms.say(*SAID)
            await daemon.wait(
                lambda now: all(
                    now["accounts"][key]["queued"] >= len(SAID) for key in (DISCORD, SLACK)
                )
            )
            await not_taken(daemon, platforms, before)
            for key in KEYS:
                with pytest.raises(RemoteError, match="nothing can be stored") as refused:
                    await watcher.client.call("send", platforms.message_to(key, f"no, {key}"))
                assert refused.value.retryable
                assert refused.value.message == f"{key}: {unstored(reason)}"
            status = await degraded(daemon, reason, *KEYS)
            assert any(reason in each for each in status["supervisor"]["warnings"])
            assert [text for key in KEYS for text in watcher.texts(key)] == []
            await faulty.aclose()
            await platforms.say("after")
            said = [*SAID, "after"]
            await watcher.until(lambda: all(len(watcher.texts(key)) >= len(said) for key in KEYS))
            await answered(daemon, platforms, said)
            for key in KEYS:
                assert watcher.texts(key) == said
                assert platforms.answers(key) == ["before", *said]
                others = [each for each in platforms.received(key) if not each.startswith(ANSWER)]
                assert others == (queued if key == WEBHOOK else [])
        await daemon.wait(lambda now: all(now["accounts"][key]["health"] == "ok" for key in KEYS))
        assert pids(await daemon.status()) == begun
        assert daemon.end() == 0
        assert stored(daemon) == dict.fromkeys(KEYS, len(said) + 1)


@pytest.mark.parametrize("fault", [FULL, pytest.param(READ_ONLY, marks=pytest.mark.slow)])
async def test_kills_while_nothing_can_be_stored_lose_and_repeat_nothing(
    tmp_path: Path, fault: str
) -> None:
    async with running(tmp_path, fault) as (daemon, platforms), AsyncExitStack() as faulty:
        before = platforms.acknowledged()
        reason = await faulty.enter_async_context(FAULTS[fault](daemon))
        async with daemon.reconnecting() as client:
            await send_until_refused(client, platforms)
        await degraded(daemon, reason, *KEYS)
        await platforms.say(*SAID)
        position = platforms.position_before(SAID[0])
        await daemon.wait(
            lambda now: all(now["accounts"][key]["queued"] >= len(SAID) for key in (DISCORD, SLACK))
        )
        killed = pids(await daemon.status())
        for key in KEYS:
            os.kill(killed[key], signal.SIGKILL)
        await kill_gateway(daemon)
        await daemon.wait(
            lambda now: all(now["accounts"][key]["pid"] not in (None, killed[key]) for key in KEYS)
        )
        await degraded(daemon, reason, SLACK, WEBHOOK)
        await not_taken(daemon, platforms, before)
        await faulty.aclose()
        await platforms.say("after")
        said = ["before", *SAID, "after"]
        await answered(daemon, platforms, said)
        for key in KEYS:
            assert Counter(platforms.answers(key)) == Counter(said)
        assert platforms.answers(DISCORD) == platforms.answers(WEBHOOK) == said
        assert platforms.bot.identified == 1
        assert platforms.resumed_at()[0] <= position, "the position of what is stored"
        assert daemon.end() == 0
        assert stored(daemon) == dict.fromkeys(KEYS, len(said))

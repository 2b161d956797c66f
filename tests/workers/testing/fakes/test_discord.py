"""The fake server, driven by discord.py: a fake and a client by one hand prove nothing."""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
import yarl

from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import RestFault, token_of
from workers.testing.fakes.discord_gateway import DISPATCH

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports audioop, which Python 3.12 warns of
    import discord
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

TOKEN = token_of("110")


class Client(discord.Client):
    """A bot of somebody else, which remembers what it is told."""

    def __init__(self) -> None:
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents, guild_ready_timeout=0.05)
        self.read: asyncio.Queue[discord.Message] = asyncio.Queue()
        self.resumed = asyncio.Event()
        self.readies: asyncio.Queue[None] = asyncio.Queue()

    async def on_message(self, message: discord.Message) -> None:
        await self.read.put(message)

    async def on_resumed(self) -> None:
        self.resumed.set()

    async def on_ready(self) -> None:
        await self.readies.put(None)


@asynccontextmanager
async def connected(
    fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch, token: str = TOKEN
) -> AsyncIterator[Client]:
    """Run a client that is not patched: where its server is are its own class variables."""
    monkeypatch.setattr(Route, "BASE", f"{fake.root}/api/v10")
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(fake.gateway.address))
    client = Client()
    running = asyncio.create_task(client.start(token))
    ready = asyncio.create_task(client.wait_until_ready())
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield client
    finally:
        ready.cancel()
        with suppress(Exception):
            await client.close()
        running.cancel()
        await asyncio.wait({running, ready})
        if not running.cancelled():
            running.exception()


async def test_a_foreign_client_logs_in_and_chats(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_discord() as fake, connected(fake, monkeypatch) as client:
        bot = fake.bot(TOKEN)
        assert client.user is not None
        assert client.user.name == "fake110"
        await fake.say(TOKEN, "hello")
        message = await client.read.get()
        assert (message.content, message.guild) == ("hello", None)
        await fake.say(TOKEN, "in public", bot.general)
        message = await client.read.get()
        assert message.guild is not None
        assert str(message.channel) == "general"
        sent = await message.reply("hi")
        assert sent.content == "hi"
        assert (await client.read.get()).author.id == 110, "its own message comes back"
        await sent.edit(content="better")
        await sent.add_reaction("👍")
        await message.channel.typing()
        await sent.delete()
        assert [each["route"] for each in bot.sent] == [
            "POST messages",
            f"PATCH messages {sent.id}",
            f"PUT messages {sent.id} reactions 👍 @me",
            "POST typing",
            f"DELETE messages {sent.id}",
        ]
        await fake.say(TOKEN, "in a thread", bot.thread)
        message = await client.read.get()
        assert isinstance(message.channel, discord.Thread)
        assert message.channel.parent is not None
        assert message.channel.parent.name == "general"


async def test_a_foreign_client_sends_files_and_reads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_discord() as fake, connected(fake, monkeypatch) as client:
        channel = client.get_channel(int(fake.bot(TOKEN).general))
        assert isinstance(channel, discord.TextChannel)
        await channel.send("see", file=discord.File(io.BytesIO(b"12345"), "a.txt"))
        (sent,) = fake.bot(TOKEN).sent
        assert sent["files"] == [{"name": "a.txt", "content": b"12345"}]
        said = [await fake.say(TOKEN, f"{each}", str(channel.id)) for each in range(5)]
        found = [each.content async for each in channel.history(limit=3)]
        assert found == ["4", "3", "2"]
        after = discord.Object(int(said[1]["id"]))
        assert [each.content async for each in channel.history(after=after)] == ["2", "3", "4"]


async def test_a_nonce_is_accepted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_discord() as fake, aiohttp.ClientSession() as http:
        bot = fake.bot(TOKEN)
        url = f"{fake.root}/api/v10/channels/{bot.direct}/messages"
        headers = {"Authorization": f"Bot {TOKEN}"}
        body = {"content": "once", "nonce": "n" * 25, "enforce_nonce": True}
        ids = []
        for _ in range(2):
            async with http.post(url, json=body, headers=headers) as answer:
                ids.append((await answer.json())["id"])
        assert ids[0] == ids[1]
        assert bot.texts == ["once"]
        async with http.post(url, json=body | {"nonce": "n" * 26}, headers=headers) as answer:
            assert answer.status == 400


async def test_texts_are_refused_as_discord_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_discord() as fake, connected(fake, monkeypatch) as client:
        channel = await client.fetch_channel(int(fake.bot(TOKEN).direct))
        assert isinstance(channel, discord.DMChannel)
        await channel.send("😀" * 1000)
        for text, code in (("😀" * 1000 + "x", 50035), (" ", 0)):
            if code:
                with pytest.raises(discord.HTTPException) as found:
                    await channel.send(text)
                assert found.value.code == code
        with pytest.raises(discord.HTTPException, match="empty"):
            await channel.send("")


async def test_faults_look_to_a_foreign_client_like_discord_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with fake_discord() as fake, connected(fake, monkeypatch) as client:
        bot = fake.bot(TOKEN)
        channel = await client.fetch_channel(int(bot.direct))
        assert isinstance(channel, discord.DMChannel)
        bot.faults.append(RestFault("POST /channels", status=403, code=50007))
        with pytest.raises(discord.Forbidden):
            await channel.send("x")
        bot.faults.append(RestFault("POST /channels", status=429, retry_after=0.05))
        await channel.send("it waits, and tries again")
        with pytest.raises(discord.Forbidden):
            await client.fetch_channel(int(bot.hidden))
        with pytest.raises(discord.NotFound):
            await client.fetch_channel(1)
        assert bot.texts == ["it waits, and tries again"]


async def test_a_foreign_client_resumes_and_hears_what_it_has_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with fake_discord() as fake, connected(fake, monkeypatch) as client:
        bot = fake.bot(TOKEN)
        await fake.gateway.ask_to_reconnect(bot)
        await fake.say(TOKEN, "meanwhile")
        await client.resumed.wait()
        assert (await client.read.get()).content == "meanwhile"
        assert (bot.identified, bot.resumed) == (1, 1)
        assert client.read.empty()


async def test_a_session_that_is_forgotten_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_discord() as fake, connected(fake, monkeypatch) as client:
        bot = fake.bot(TOKEN)
        await client.readies.get()
        fake.gateway.forget(bot)
        await fake.gateway.close(bot, 4000)
        await client.readies.get()
        assert bot.identified == 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("revoked", discord.LoginFailure), ("content_off", discord.PrivilegedIntentsRequired)],
)
async def test_what_ends_a_foreign_client(
    monkeypatch: pytest.MonkeyPatch, fault: str, kind: type[Exception]
) -> None:
    async with fake_discord() as fake:
        setattr(fake.bot(TOKEN), fault, True)
        with pytest.raises(kind):
            async with connected(fake, monkeypatch):
                pass


async def test_a_silent_connection_tells_nothing_and_resumes_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with fake_discord() as fake, connected(fake, monkeypatch) as client:
        bot = fake.bot(TOKEN)
        fake.gateway.silence(bot)
        await fake.say(TOKEN, "into nothing")
        assert bot.session is not None
        assert bot.session.sent[-1]["op"] == DISPATCH
        await fake.gateway.close(bot, 4000)
        assert (await client.read.get()).content == "into nothing"


async def test_a_server_that_is_down_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_discord() as fake, aiohttp.ClientSession() as http:
        fake.down = True
        with pytest.raises(aiohttp.ClientError):
            await http.get(f"{fake.root}/api/v10/gateway")
        with pytest.raises(aiohttp.ClientError):
            await http.ws_connect(fake.gateway.address)
        fake.down = False
        async with http.get(f"{fake.root}/api/v10/gateway") as answer:
            assert await answer.json() == {"url": fake.gateway.address}

"""What discord.py does not show of the gateway: ``test_discord.py`` drives it with that."""

from __future__ import annotations

from typing import Any

import aiohttp

from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import token_of

TOKEN = token_of("110")


async def greeted(ws: aiohttp.ClientWebSocketResponse[bool], op: int, **data: Any) -> Any:
    """Greet; return the answer."""
    assert (await ws.receive_json())["op"] == 10
    await ws.send_json({"op": op, "d": {"token": TOKEN, "intents": 0, **data}})
    return await ws.receive_json()


async def begun(fake: FakeDiscord, ws: aiohttp.ClientWebSocketResponse[bool]) -> str:
    ready = await greeted(ws, 2)
    assert (ready["t"], ready["s"]) == ("READY", 1)
    assert (await ws.receive_json())["t"] == "GUILD_CREATE"
    return str(ready["d"]["session_id"])


async def test_a_resumed_session_is_told_what_came_after_its_number() -> None:
    async with fake_discord() as fake, aiohttp.ClientSession() as http:
        async with http.ws_connect(fake.gateway.address) as ws:
            session = await begun(fake, ws)
        for text in ("one", "two"):
            await fake.say(TOKEN, text)
        async with http.ws_connect(fake.gateway.address) as ws:
            frame = await greeted(ws, 6, session_id=session, seq=3)
            assert (frame["s"], frame["d"]["content"]) == (4, "two")
            assert (await ws.receive_json())["t"] == "RESUMED"


async def test_a_new_session_ends_the_old_one() -> None:
    async with fake_discord() as fake, aiohttp.ClientSession() as http:
        async with http.ws_connect(fake.gateway.address) as ws:
            old = await begun(fake, ws)
        async with http.ws_connect(fake.gateway.address) as ws:
            await begun(fake, ws)
        async with http.ws_connect(fake.gateway.address) as ws:
            frame = await greeted(ws, 6, session_id=old, seq=1)
            assert (frame["op"], frame["d"]) == (9, False)


async def test_heartbeats_are_answered_unless_it_is_silent() -> None:
    async with (
        fake_discord() as fake,
        aiohttp.ClientSession() as http,
        http.ws_connect(fake.gateway.address) as ws,
    ):
        await begun(fake, ws)
        await ws.send_json({"op": 1, "d": 2})
        assert (await ws.receive_json())["op"] == 11
        bot = fake.bot(TOKEN)
        fake.gateway.silence(bot)
        await ws.send_json({"op": 1, "d": 2})
        await fake.until(lambda: len([each for each in bot.heard if each["op"] == 1]) == 2)
        fake.gateway.silence(bot, silent=False)
        await ws.send_json({"op": 1, "d": 2})
        assert (await ws.receive_json())["op"] == 11
        await fake.gateway.close(bot, 4000)
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE, "one answer was missing"

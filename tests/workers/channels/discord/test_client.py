from __future__ import annotations

import io

import pytest

from tests.workers.channels.discord.running_bot import TOKEN, discord_api
from workers.channels.discord.client import DiscordUpload
from workers.channels.discord.objects import DiscordMessage, DiscordUser, SessionPlace
from workers.channels.discord.refusals import (
    DiscordRefusal,
)
from workers.testing.fakes.discord import fake_discord
from workers.testing.fakes.discord_bots import RestFault
from workers.web.faults import NoAnswer, Unreachable

SEND = "POST /channels/{}/messages"


async def test_a_request_is_made_and_its_answer_decoded() -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        assert (await api.call("GET /users/@me", result=DiscordUser)).id == "110"
        found = await api.call("GET /gateway/bot", result=SessionPlace)
        assert found.url == fake.gateway.address
        assert found.session_start_limit.remaining == 1000


async def test_parts_of_a_path_are_quoted() -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        bot = fake.bot(TOKEN)
        said = await fake.say(TOKEN, "x")
        route = "PUT /channels/{}/messages/{}/reactions/{}/@me"
        for emoji in ("👍", "name:12", "a/b?c"):
            await api.call(route, bot.direct, said["id"], emoji)
        assert [each["route"].split()[-2] for each in bot.sent[:2]] == ["👍", "name:12"]


async def test_files_are_sent_as_a_form() -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        bot = fake.bot(TOKEN)
        uploads = [
            DiscordUpload("ü.txt", "text/plain", lambda: io.BytesIO(b"one")),
            DiscordUpload("b", "application/octet-stream", lambda: io.BytesIO(b"two")),
        ]
        body = {"content": "see"}
        made = await api.call(SEND, bot.direct, body=body, uploads=uploads, result=DiscordMessage)
        assert bot.sent[0]["id"] == made.id
        files = [(each["name"], each["content"]) for each in bot.sent[0]["files"]]
        assert files == [("ü.txt", b"one"), ("b", b"two")]


async def test_a_refusal_has_discord_s_number() -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        with pytest.raises(DiscordRefusal) as found:
            await api.call("GET /channels/{}", fake.bot(TOKEN).hidden)
        assert (found.value.status, found.value.code) == (403, 50001)


async def test_the_page_of_a_proxy_is_a_refusal() -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        fake.bot(TOKEN).faults.append(RestFault(html=True))
        with pytest.raises(DiscordRefusal, match="502"):
            await api.call("GET /users/@me")


@pytest.mark.parametrize("everywhere", [True, False])
async def test_after_429_no_request_is_made_too_early(everywhere: bool) -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        bot = fake.bot(TOKEN)
        fault = RestFault(SEND[:14], status=429, retry_after=60.0, everywhere=everywhere)
        bot.faults.append(fault)
        for _ in range(2):
            with pytest.raises(DiscordRefusal) as found:
                await api.call(SEND, bot.direct, body={"content": "x"})
            assert found.value.status == 429
            assert 59 < (found.value.retry_after or 0) <= 60
        assert bot.calls[f"POST /channels/{bot.direct}/messages"] == 1, "the second was not made"
        if everywhere:
            with pytest.raises(DiscordRefusal):
                await api.call("GET /users/@me")
        else:
            await api.call("GET /users/@me")


async def test_a_longer_wait_than_a_day_counts_as_a_day() -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        fake.bot(TOKEN).faults.append(RestFault("users", status=429, retry_after=1e300))
        for _ in range(2):
            with pytest.raises(DiscordRefusal) as found:
                await api.call("GET /users/@me")
            assert 86_399 < (found.value.retry_after or 0) <= 86_400


async def test_a_bucket_that_is_soon_free_is_waited_for() -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        bot = fake.bot(TOKEN)
        bot.limits = {
            "X-RateLimit-Bucket": "b",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset-After": "0.05",
        }
        for number in range(2):
            await api.call(SEND, bot.direct, body={"content": str(number)})
        assert bot.texts == ["0", "1"]
        bot.limits["X-RateLimit-Reset-After"] = "30"
        await api.call(SEND, bot.direct, body={"content": "2"})
        with pytest.raises(DiscordRefusal) as found:
            await api.call(SEND, bot.direct, body={"content": "3"})
        assert found.value.status == 429


async def test_where_nothing_is_heard_it_is_told_what_is_known() -> None:
    async with fake_discord() as fake, discord_api(fake) as api:
        bot = fake.bot(TOKEN)
        bot.faults.append(RestFault(drop="after"))
        with pytest.raises(NoAnswer) as found:
            await api.call(SEND, bot.direct, body={"content": "x"})
        assert TOKEN not in str(found.value)
        assert bot.texts == ["x"]
        address = fake.root
    async with fake_discord() as fake, discord_api(fake) as api:
        # An address with nothing behind it.
        api._base = address.replace("127.0.0.1", "127.0.0.2") + "/api/v10"
        with pytest.raises(Unreachable, match=r"Connection refused by 127\.0\.0\.2:"):
            await api.call("GET /users/@me")

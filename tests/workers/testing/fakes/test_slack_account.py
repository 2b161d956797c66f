from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from workers.testing.fake import FakePlace
from workers.testing.fakes.slack_account import BOT_TOKEN, SlackFake
from workers.testing.faults import Fault


@asynccontextmanager
async def account(directory: Path) -> AsyncIterator[tuple[SlackFake, AsyncWebClient]]:
    fake = SlackFake()
    fields = await fake.start(FakePlace(directory, "a", directory))
    try:
        yield fake, AsyncWebClient(token=BOT_TOKEN, base_url=f"{fields['apiRoot']}/api/")
    finally:
        await fake.close()


async def test_sent_texts_are_recorded_as_people_see_them(tmp_path: Path) -> None:
    async with account(tmp_path) as (fake, web):
        await web.chat_postMessage(channel=fake.to, text="a &amp; b")
        assert fake.heard() == ["a & b"]


async def test_it_refuses_as_it_is_told_until_it_is_healed(tmp_path: Path) -> None:
    async with account(tmp_path) as (fake, web):
        for fault, code in (
            (Fault("rate_limited", seconds=5), "ratelimited"),
            (Fault("unauthorized"), "invalid_auth"),
        ):
            await fake.fail(fault)
            with pytest.raises(SlackApiError) as found:
                await web.chat_postMessage(channel=fake.to, text="x")
            assert found.value.response["error"] == code
            await fake.heal()
        await web.chat_postMessage(channel=fake.to, text="x")
        assert fake.heard() == ["x"]


async def test_an_outage_counts_whom_it_meets(tmp_path: Path) -> None:
    async with account(tmp_path) as (fake, web):
        await fake.fail(Fault("outage"))
        with pytest.raises(aiohttp.ClientError):
            await web.auth_test()
        assert fake.turned_away > 0
        await fake.heal()
        assert (await web.auth_test())["ok"]


async def test_a_message_is_delivered_twice_under_one_id(tmp_path: Path) -> None:
    async with account(tmp_path) as (fake, _):
        await fake.fail(Fault("duplicate", times=1))
        await fake.say("twice")
        said = fake.server.channel(fake.to).messages
        assert [each["text"] for each in said] == ["twice"]

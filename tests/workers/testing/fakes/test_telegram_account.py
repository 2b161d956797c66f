"""The Bot API as one account of the kit sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from workers.testing.fake import FakePlace
from workers.testing.fakes.telegram_account import TOKEN, TelegramFake
from workers.testing.faults import Fault, FaultKind


@asynccontextmanager
async def served() -> AsyncIterator[tuple[TelegramFake, aiohttp.ClientSession]]:
    fake = TelegramFake()
    fields = await fake.start(FakePlace(Path(), "it", Path()))
    async with aiohttp.ClientSession(fields["apiRoot"]) as session:
        try:
            yield fake, session
        finally:
            await session.close()
            await fake.close()


async def call(session: aiohttp.ClientSession, method: str, **params: Any) -> int:
    async with session.post(f"/bot{TOKEN}/{method}", json=params) as answer:
        await answer.read()
        return answer.status


@pytest.mark.parametrize(
    ("kind", "method", "status"),
    [
        ("rate_limited", "sendMessage", 429),
        ("unauthorized", "getMe", 401),
        ("conflict", "getUpdates", 409),
    ],
)
async def test_a_fault_meets_its_calls_until_it_is_healed(
    kind: FaultKind, method: str, status: int
) -> None:
    async with served() as (fake, session):
        await fake.fail(Fault(kind, seconds=3))
        assert await call(session, method, chat_id=7, text="x") == status
        await fake.heal()
        assert await call(session, method, chat_id=7, text="y") == 200


async def test_an_outage_counts_refused_clients() -> None:
    async with served() as (fake, session):
        await fake.fail(Fault("outage"))
        with pytest.raises(aiohttp.ClientError):
            await call(session, "getMe")
        assert fake.turned_away == 1
        await fake.heal()
        assert await call(session, "getMe") == 200


async def test_a_duplicate_is_another_update_of_one_message() -> None:
    async with served() as (fake, _):
        await fake.fail(Fault("duplicate", times=1))
        await fake.say("twice")
        await fake.say("once")
        updates = fake.server.bot(TOKEN).updates
        assert [update["message"]["text"] for update in updates] == ["twice", "twice", "once"]
        assert updates[0]["message"]["message_id"] == updates[1]["message"]["message_id"]
        assert updates[0]["update_id"] != updates[1]["update_id"]

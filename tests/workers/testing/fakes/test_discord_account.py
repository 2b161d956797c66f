"""Discord as one account of the kit sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from workers.testing.fake import FakePlace
from workers.testing.fakes.discord_account import TOKEN, DiscordFake
from workers.testing.faults import Fault, FaultKind


@asynccontextmanager
async def served() -> AsyncIterator[tuple[DiscordFake, aiohttp.ClientSession]]:
    fake = DiscordFake()
    fields = await fake.start(FakePlace(Path(), "it", Path()))
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {TOKEN}"}) as session:
        try:
            assert fields["apiRoot"] == fake.server.root
            yield fake, session
        finally:
            await session.close()
            await fake.close()


async def send(fake: DiscordFake, session: aiohttp.ClientSession) -> int:
    url = f"{fake.server.root}/api/v10/channels/{fake.to}/messages"
    async with session.post(url, json={"content": "x"}) as answer:
        await answer.read()
        return answer.status


@pytest.mark.parametrize(("kind", "status"), [("rate_limited", 429), ("unauthorized", 401)])
async def test_a_fault_meets_its_requests_until_it_is_healed(kind: FaultKind, status: int) -> None:
    async with served() as (fake, session):
        await fake.fail(Fault(kind, seconds=3))
        assert await send(fake, session) == status
        await fake.heal()
        assert await send(fake, session) == 200
        assert fake.heard() == ["x"]


async def test_an_outage_counts_refused_clients() -> None:
    async with served() as (fake, session):
        await fake.fail(Fault("outage"))
        with pytest.raises(aiohttp.ClientError):
            await session.ws_connect(fake.server.gateway.address)
        assert fake.turned_away >= 1  # aiohttp repeats what was not answered
        await fake.heal()
        assert await send(fake, session) == 200


async def test_nothing_moves_on_a_connection_that_is_half_open() -> None:
    async with served() as (fake, session):
        await fake.fail(Fault("half_open"))
        ws = await session.ws_connect(fake.server.gateway.address)
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.2)
        await fake.heal()
        async with session.ws_connect(fake.server.gateway.address) as ws:
            assert (await ws.receive_json())["op"] == 10

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.workers.channels.slack.running_app import BOT_TOKEN
from workers.channels.slack.connection import NOT_UNDERSTOOD, SlackConnection
from workers.channels.slack.objects import Envelope
from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.ports import free_port
from workers.web.faults import Unreachable


def nothing() -> None:
    """Note no sign of life."""


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[FakeSlack, SlackConnection]]:
    async with fake_slack() as fake, aiohttp.ClientSession() as session:
        url = f"{fake.root}/link?app=1"
        connection, hello = await SlackConnection.open(session, url, nothing)
        assert hello.type == "hello"
        yield fake, connection
        await connection.close()


async def the_next(connection: SlackConnection) -> Envelope | None:
    async for frame in connection.frames():
        return frame
    return None


async def test_an_envelope_is_acknowledged() -> None:
    async with connected() as (fake, connection):
        name = await fake.event(BOT_TOKEN, {"type": "x"})
        frame = await the_next(connection)
        assert frame is not None
        assert await connection.acknowledge(frame.envelope_id or "")
        await fake.until(lambda: name in fake.app(BOT_TOKEN).acknowledged)


async def test_a_connection_that_ended_says_why() -> None:
    async with connected() as (fake, connection):
        await fake.disconnect(BOT_TOKEN, "warning", close=True)
        frame = await the_next(connection)
        assert frame is not None
        assert (frame.type, frame.reason) == ("disconnect", "warning")
        assert await the_next(connection) is None
        assert connection.ended == "Slack closed the connection (1000)"
        assert connection.leaving.is_set()
        assert not await connection.acknowledge("x")


async def test_silence_on_an_open_connection_is_found_by_a_ping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.channels.slack.connection.PING_SECONDS", 0.2)
    async with connected() as (fake, connection):
        fake.of(BOT_TOKEN)[0].frozen = True
        assert await the_next(connection) is None
        assert connection.ended == "Slack does not answer on the open connection"


async def test_a_malformed_envelope_is_reported() -> None:
    async with connected() as (fake, connection):
        await fake.of(BOT_TOKEN)[0].socket.send_str("no JSON")
        frame = await the_next(connection)
        assert frame is not None
        assert frame.type == NOT_UNDERSTOOD


async def test_no_connection_names_no_ticket() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Unreachable, match="Connection refused by ") as found:
            await SlackConnection.open(session, f"ws://127.0.0.1:{free_port()}/?ticket=s", nothing)
        assert "ticket" not in str(found.value)
    async with fake_slack() as fake, aiohttp.ClientSession() as session:
        fake.down = True
        with pytest.raises(Unreachable, match="closed the connection"):
            await SlackConnection.open(session, f"{fake.root}/link?app=1", nothing)

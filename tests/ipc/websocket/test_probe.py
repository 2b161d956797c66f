"""Which listeners count as a gateway."""

from __future__ import annotations

import socket

import pytest

from ipc.websocket.probe import challenges
from tests.support.scripted import CHALLENGE, Side, scripted


async def test_a_gateway_is_known_by_its_challenge() -> None:
    async def script(side: Side) -> None:
        await side.raw("hello")  # whatever comes before it is ignored
        await side.say(type="event", event="tick")
        await side.say(**CHALLENGE)

    async with scripted(script) as server:
        assert await challenges(server.url)


async def test_another_websocket_server_is_none() -> None:
    async def closes(side: Side) -> None:
        await side.raw("hello")
        await side.connection.close()

    async def is_silent(side: Side) -> None:
        await side.connection.wait_closed()

    async with scripted(closes, is_silent) as server:
        assert not await challenges(server.url)
        assert not await challenges(server.url, 0.1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ws://127.0.0.1:99999", "nonsense"])
async def test_an_address_that_makes_no_sense_is_none(url: str) -> None:
    assert not await challenges(url)


async def test_a_port_is_none_that_nobody_listens_on_or_accepts_at() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{bound.getsockname()[1]}"
        assert not await challenges(url)
        bound.listen()
        assert not await challenges(url, 0.1)

"""The number in a message is found in each channel's text; a relay cuts every connection."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bench.soak.traffic import Relay, arrival


@pytest.mark.parametrize(
    ("account", "direction", "text", "number"),
    [
        ("local:a", "in", "12 987 xxx", (7, 12)),
        ("source:a", "in", "0000000012 987 xxx", (0, 12)),
        ("irc:a", "in", "in 12", (0, 12)),
        ("irc:a", "in", "out 12", None),  # another account of the room
        ("irc:a", "out", "out 12", (0, 12)),
        ("local:a", "out", "out 12", (0, 12)),
        ("faulty:bad", "in", "flood", None),
    ],
)
def test_the_number_of_a_message(
    account: str, direction: str, text: str, number: tuple[int, int] | None
) -> None:
    payload = {"account": account, "cursor": "7:3", "direction": direction, "redelivered": True}
    found = arrival(msgspec.Raw(msgspec.json.encode(payload | {"message": {"text": text}})))
    assert (found.account, found.cursor, found.number) == (account, (7, 3), number)
    assert found.redelivered


async def test_a_relay_passes_bytes_on_until_it_cuts() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    target: Any = SimpleNamespace(port=server.sockets[0].getsockname()[1])
    relay = Relay(target)
    await relay.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    relay.cut()
    try:
        rest = await reader.read()
    except ConnectionError:
        rest = b""
    assert rest == b""
    writer.close()
    await relay.close()
    server.close()

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ipc.dial import AddressInfo, address_of, dial, in_order
from ipc.websocket.probe import challenges
from tests.support.addresses import two_addresses


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_the_second_address_is_tried_while_the_first_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening() as port:
        with two_addresses(monkeypatch, port):
            for most in (3.0, 0.2):  # what worked comes first the next time
                before = time.monotonic()
                connected = await dial("two.example.org", port)
                assert address_of(connected) == "127.0.0.1"
                connected.close()
                assert time.monotonic() - before < most


async def test_a_gateway_is_found_behind_a_silent_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening() as port:
        with two_addresses(monkeypatch, port):
            before = time.monotonic()
            assert not await challenges(f"ws://gateway.example.org:{port}", timeout=30.0)
            assert time.monotonic() - before < 10  # it was reached, and is none


@pytest.mark.parametrize("host", ["irc..example.org", "a" * 64, "a\0b", "." * 5])
async def test_an_odd_name_is_an_error_of_the_system(host: str) -> None:
    with pytest.raises(OSError, match=r"host name|known|resolution"):
        await dial(host, 6667)


async def test_a_name_and_an_address_are_reached() -> None:
    async with listening() as port:
        for host in ("localhost", "127.0.0.1"):
            connected = await dial(host, port)
            assert address_of(connected) == "127.0.0.1"
            connected.close()
            assert address_of(connected) == ""


def info(address: str) -> AddressInfo:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, 6, "", (address, 1))


@pytest.mark.parametrize(
    ("first", "last", "order"),
    [
        ("", "", ["::1", "1.1.1.1", "::2", "1.1.1.2"]),
        ("1.1.1.2", "", ["1.1.1.2", "::1", "1.1.1.1", "::2"]),
        ("", "::1", ["1.1.1.1", "::2", "1.1.1.2", "::1"]),
        ("::2", "1.1.1.1", ["::2", "::1", "1.1.1.2", "1.1.1.1"]),
        ("9.9.9.9", "8.8.8.8", ["::1", "1.1.1.1", "::2", "1.1.1.2"]),
    ],
)
def test_families_take_turns_and_experience_goes_before(
    first: str, last: str, order: list[str]
) -> None:
    found = [info(address) for address in ("::1", "::2", "1.1.1.1", "1.1.1.2")]
    assert [one[4][0] for one in in_order(found, first, last)] == order

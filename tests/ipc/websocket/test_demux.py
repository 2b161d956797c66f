"""What the first bytes of a connection decide, and what it costs until then."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from ipc.websocket.demux import Limits, is_loopback, wants_websocket
from tests.support.echo_server import (
    UPGRADE,
    EchoServer,
    echo,
    plain,
)
from tests.support.until import PATIENCE


async def test_a_socket_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipc.websocket.demux.HEAD_SECONDS", 0.05)
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(b"GET / HT")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert not made.server.undecided


async def test_an_address_with_too_many_unauthenticated_sockets_gets_503() -> None:
    host = next(
        (
            entry.address
            for entries in psutil.net_if_addrs().values()
            for entry in entries
            if entry.family == socket.AF_INET and not is_loopback(entry.address)
        ),
        None,
    )
    if host is None:
        pytest.skip("this host has only loopback addresses, which are exempt")
    async with echo(host, preauth_per_address=2) as made:
        url = f"ws://{host}:{made.port}"
        async with connect(url) as one, connect(url) as two:
            with pytest.raises(InvalidStatus) as refusal:
                await connect(url)
            assert refusal.value.response.status_code == 503
            assert refusal.value.response.body == b"Too many unauthenticated sockets"
            await one.send("admit")
            assert await one.recv() == "admit"
            async with connect(url):
                pass
            assert made.server.unproven.crowded == 1
            await two.close()


async def test_pages_come_from_the_same_port() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\n/page")
        assert not made.server.undecided


async def test_without_pages_a_plain_request_is_ended(short_path: Path) -> None:
    made = EchoServer()
    await made.start(short_path / "cli.sock", Limits())
    reader, writer = await asyncio.open_unix_connection(str(short_path / "cli.sock"))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    await made.server.close()


@pytest.mark.parametrize("head", [UPGRADE, b"GET /page HTTP/1.1\r\nHost: x"])
async def test_a_head_may_be_refused_before_anything_else(head: bytes) -> None:
    async with echo() as made, plain(made) as (reader, writer):
        made.server.refuse_head = lambda head, upgrade: b"HTTP/1.1 403 Forbidden\r\n\r\n"
        writer.write(head.rstrip() + b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b"HTTP/1.1 403 Forbidden\r\n\r\n"
        assert not made.server.undecided
        assert not made.server.connections


async def test_a_head_without_end_is_refused() -> None:
    async with echo() as made, plain(made) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 3000)
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (UPGRADE, True),
        (b"GET / HTTP/1.1\r\nupGRADE :  WebSocket", True),
        (b"GET / HTTP/1.1\r\nUpgrade: h2c", False),
        (b"GET /?upgrade: websocket HTTP/1.1\r\nHost: x", False),
        (b"", False),
    ],
)
def test_what_counts_as_an_upgrade(head: bytes, answer: bool) -> None:
    assert wants_websocket(head) is answer


@pytest.mark.parametrize(("source", "same"), [("127.0.0.5", True), ("127.0.0.6", False)])
async def test_who_comes_from_the_address_that_it_connects_to_is_on_this_host(
    source: str, same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the gateway listens on one address, commands of its own host come from that."""
    monkeypatch.setattr("ipc.websocket.demux.is_loopback", lambda address: False)
    async with echo("127.0.0.5") as made:
        url = f"ws://127.0.0.5:{made.port}"
        async with connect(url, local_addr=(source, 0)) as client:
            await client.send("x")
            assert await client.recv() == "x"
            (connection,) = made.connections
            assert (connection.remote, connection.same_host) == (source, same)
            assert not connection.loopback


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::", False),
    ],
)
def test_what_counts_as_loopback(address: str, answer: bool) -> None:
    assert is_loopback(address) is answer

"""Encrypted sockets: counted from the beginning, gone when they give way, and not all at once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import trustme

from tests.support.echo_server import EchoServer, echo
from tests.support.until import PATIENCE, until

GET = b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"
SOON = 10.0  # seconds, of which a transport that waits for its client would take thirty


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return those of a server and of its clients."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    return server, client


@contextlib.contextmanager
def silent(made: EchoServer, count: int) -> Iterator[list[socket.socket]]:
    """Sockets that are connected and send nothing."""
    with contextlib.ExitStack() as stack:
        address = ("127.0.0.1", made.port)
        yield [stack.enter_context(socket.create_connection(address)) for _ in range(count)]


def accepted(made: EchoServer) -> int:
    """Return how many sockets the server has."""
    found = psutil.Process().net_connections("tcp4")
    return sum(each.laddr.port == made.port and bool(each.raddr) for each in found)


async def page(made: EchoServer, trusted: ssl.SSLContext) -> bytes:
    """Return the answer to a new client's request."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", made.port, ssl=trusted, server_hostname="localhost"
    )
    writer.write(GET)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.readuntil(b"/page")
    writer.close()
    return answer


class Unresponsive:
    """A client that has sent something over TLS, and then does nothing: it closes nothing."""

    def __init__(self, made: EchoServer, trusted: ssl.SSLContext) -> None:
        self._address = ("127.0.0.1", made.port)
        self._trusted = trusted
        self._sockets: list[ssl.SSLSocket] = []

    async def send(self, data: bytes) -> None:
        """Send ``data`` on another connection."""
        await asyncio.to_thread(self._send, data)

    def _send(self, data: bytes) -> None:
        plain = socket.create_connection(self._address, PATIENCE)
        sock = self._trusted.wrap_socket(plain, server_hostname="localhost")
        self._sockets.append(sock)
        sock.sendall(data)
        assert sock.recv(9) == b"HTTP/1.1 "

    def close(self) -> None:
        for each in self._sockets:
            each.close()


@pytest.mark.parametrize("limits", [{"unproven": 4}, {"files": 1}])
async def test_sockets_whose_handshake_does_not_come_give_way(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], limits: dict[str, Any]
) -> None:
    server, client = contexts
    async with echo(tls=server, **limits) as made:
        with silent(made, 20):
            await until(lambda: made.server.unproven.evicted >= 15 or made.server.starved >= 20)
            await until(lambda: accepted(made) <= 5)
            if "unproven" in limits:
                assert b" 200 " in await page(made, client)
        await until(lambda: not len(made.server.unproven))


async def test_many_that_come_at_once_are_not_accepted_at_once(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipc.websocket.accepting.AT_ONCE", 4)
    async with echo(tls=contexts[0], unproven=4) as made:
        with silent(made, 100):
            most = 0
            while made.server.unproven.evicted < 90:
                most = max(most, accepted(made))
                await asyncio.sleep(0)
            assert most < 50


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x01", b""])
async def test_who_speaks_no_tls_is_closed(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], sent: bytes
) -> None:
    async with echo(tls=contexts[0]) as made:
        with silent(made, 1) as (sock,):
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            sock.setblocking(False)
            async with asyncio.timeout(PATIENCE):
                with contextlib.suppress(ConnectionResetError):
                    while await asyncio.get_running_loop().sock_recv(sock, 4096):
                        pass
        await until(lambda: not len(made.server.unproven))
        assert b" 200 " in await page(made, contexts[1])


async def test_closing_ends_handshakes(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with echo(tls=contexts[0]) as made:
        with silent(made, 3):
            await until(lambda: len(made.server.unproven) == 3)
            await made.server.close()
            await until(lambda: accepted(made) == 0)
            assert not len(made.server.unproven)


async def test_who_gives_way_is_not_waited_for(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with echo(tls=contexts[0], http_per_address=2) as made:
        clients = Unresponsive(made, contexts[1])
        for _ in range(6):
            await clients.send(GET)
        assert made.server.unproven.evicted == 4
        async with asyncio.timeout(SOON):
            await until(lambda: accepted(made) == 2)
        clients.close()


async def test_who_is_refused_is_not_waited_for(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with echo(tls=contexts[0]) as made:
        clients = Unresponsive(made, contexts[1])
        await clients.send(b"x" * 20_000)  # 431
        async with asyncio.timeout(SOON):
            await until(lambda: accepted(made) == 0 and not len(made.server.unproven))
        clients.close()

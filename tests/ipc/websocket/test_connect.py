"""How a client gets to ``hello-ok``: what it sends, which failures it tries again."""

from __future__ import annotations

import asyncio
import socket
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from ipc.errors import ConnectionFailed, RemoteError
from ipc.websocket.client import Client
from tests.support.scripted import CHALLENGE, HELLO, Side, scripted, welcoming

REFUSAL = {"code": "INVALID_REQUEST", "message": "unauthorized: gateway token mismatch"}


STARTING = {
    "code": "UNAVAILABLE",
    "message": "gateway starting; retry shortly",
    "details": {"reason": "startup-sidecars"},
    "retryable": True,
    "retryAfterMs": 1,
}


async def test_connects_with_everything_the_protocol_asks_for() -> None:
    said: list[dict[str, Any]] = []

    async def script(side: Side) -> None:
        said.append(await side.welcome())

    async with scripted(script) as server:
        client = await Client.connect(
            server.url,
            token="secret",
            client={"id": "cli", "mode": "cli", "version": "1.2"},
            caps=["channel-events"],
            scopes=["operator.read"],
        )
        async with client:
            assert client.hello == HELLO
            assert client.protocol == 4
        await client.close()
    assert said[0]["auth"] == {"token": "secret"}
    assert said[0]["client"] == {
        "id": "cli",
        "mode": "cli",
        "version": "1.2",
        "platform": "linux",
    }
    assert (said[0]["minProtocol"], said[0]["maxProtocol"]) == (3, 4)
    assert said[0]["role"] == "operator"
    assert said[0]["scopes"] == ["operator.read"]
    assert said[0]["caps"] == ["channel-events"]


async def test_without_secrets_there_is_no_auth_and_the_defaults_are_a_backend() -> None:
    said: list[dict[str, Any]] = []

    async def script(side: Side) -> None:
        said.append(await side.welcome())

    async with scripted(script) as server, await Client.connect(server.url):
        pass
    assert "auth" not in said[0]
    assert said[0]["client"]["id"] == "gateway-client"
    assert said[0]["client"]["mode"] == "backend"
    assert "operator.admin" in said[0]["scopes"]


async def test_a_wrong_token_is_a_refusal_and_never_tried_again() -> None:
    async def script(side: Side) -> None:
        await side.refuse(REFUSAL, 1008, "unauthorized")

    async with scripted(script) as server:
        with pytest.raises(RemoteError, match="token mismatch"):
            await Client.connect(server.url, token="wrong", retry=(0.01, 0.01))
        assert server.connections == 1


async def test_a_starting_gateway_is_tried_again_after_the_time_it_asks_for() -> None:
    async def script(side: Side) -> None:
        await side.refuse(STARTING, 1013, "gateway starting")

    async with scripted(script, script, welcoming) as server:
        begin = time.monotonic()
        async with await Client.connect(server.url, retry=(9, 9)) as client:
            assert client.protocol == 4
        assert 0.2 <= time.monotonic() - begin < 5, "at least 0.1 s each, not the 9 s of a close"
        assert server.connections == 3


@pytest.mark.parametrize("code", [1000, 1001, 1012, 1013])
async def test_a_close_of_a_restart_is_tried_again(code: int) -> None:
    async def script(side: Side) -> None:
        await side.connection.close(code)

    async with scripted(script, welcoming) as server:
        async with await Client.connect(server.url, retry=(0.01,)):
            pass
        assert server.connections == 2


async def test_a_gateway_that_dies_before_hello_is_tried_again() -> None:
    async def early(side: Side) -> None:
        side.abort()

    async def late(side: Side) -> None:
        await side.say(**CHALLENGE)
        await side.request()
        side.abort()

    async with scripted(early, late, welcoming) as server:
        async with await Client.connect(server.url, retry=(0.01, 0.01)):
            pass
        assert server.connections == 3


async def test_retries_end(tmp_path: Path) -> None:
    async def script(side: Side) -> None:
        await side.connection.close(1012, "service restart")

    async with scripted(script) as server:
        with pytest.raises(ConnectionFailed, match=r"closed before hello with 1012") as caught:
            await Client.connect(server.url, retry=(0.01, 0.01))
        assert (caught.value.code, caught.value.retryable) == (1012, True)
        assert server.connections == 3


@pytest.mark.parametrize("code", [1002, 1008, 1009, 4001])
async def test_a_close_for_cause_is_not(code: int) -> None:
    async def script(side: Side) -> None:
        await side.connection.close(code, "why")

    async with scripted(script, welcoming) as server:
        with pytest.raises(ConnectionFailed, match=rf"{code} \(why\)") as caught:
            await Client.connect(server.url, retry=(0.01,))
        assert not caught.value.retryable
        assert server.connections == 1


async def test_no_listener_fails_at_once(short_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        begin = time.monotonic()
        with pytest.raises(ConnectionFailed) as caught:
            await Client.connect(f"ws://127.0.0.1:{taken.getsockname()[1]}", retry=(90, 90))
    assert caught.value.retryable
    with pytest.raises(ConnectionFailed, match=r"cli\.sock: No such file") as caught:
        await Client.connect(unix=short_path / "cli.sock", retry=(90, 90))
    assert caught.value.retryable
    assert time.monotonic() - begin < 60


async def test_something_else_that_listens_is_told_apart() -> None:
    async def not_a_gateway(side: Side) -> None:
        await side.raw("hello world")

    async with scripted(not_a_gateway) as server:
        with pytest.raises(ConnectionFailed, match="no gateway there") as caught:
            await Client.connect(server.url)
        assert not caught.value.retryable
    with pytest.raises(ConnectionFailed, match="no gateway there"):
        await Client.connect("http://127.0.0.1:1")


@pytest.mark.parametrize(("status", "retryable"), [(503, True), (404, False)])
async def test_an_http_answer_is_named(status: int, retryable: bool) -> None:
    def reject(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus(status), "no\n")

    async with scripted(welcoming, process_request=reject) as server:
        with pytest.raises(ConnectionFailed, match=f"HTTP {status}") as caught:
            await Client.connect(server.url)
        assert caught.value.retryable is retryable


async def test_silence_before_the_challenge_ends_the_try() -> None:
    async def silent(side: Side) -> None:
        await side.connection.wait_closed()

    async with scripted(silent) as server:
        with pytest.raises(ConnectionFailed, match=r"no hello within 0.1 s"):
            await Client.connect(server.url, timeout=0.1)


async def test_a_backlog_that_nobody_accepts_ends_the_try() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with pytest.raises(ConnectionFailed, match=r"no connect within 0.1 s"):
            await Client.connect(f"ws://127.0.0.1:{listening.getsockname()[1]}", timeout=0.1)


async def test_connecting_can_be_cancelled() -> None:
    met = asyncio.Event()

    async def silent(side: Side) -> None:
        met.set()
        await side.connection.wait_closed()

    async with scripted(silent) as server:
        connecting = asyncio.create_task(Client.connect(server.url))
        await met.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting


async def test_a_hello_that_is_no_object_is_an_empty_one() -> None:
    async def script(side: Side) -> None:
        await side.welcome(hello=[])

    async with scripted(script) as server, await Client.connect(server.url) as client:
        assert (client.hello, client.protocol) == ({}, 0)

"""The time before the hello, over real sockets: challenge, first frame, waiting, bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.websocket.client import Client
from runtime.gateway.access import guard, throttle
from runtime.gateway.clients.admission import handshake_left
from tests.support.devices import Key, offer, paired
from tests.support.gateway_rig import (
    SESSION,
    TOKEN,
    gateway_rig,
    row,
)
from tests.support.handshakes import challenged, refused
from tests.support.rawclient import RawClient, connect_params
from tests.support.until import until


async def test_the_server_speaks_first() -> None:
    async with gateway_rig() as rig:
        challenge = (await challenged(rig)).challenge
        assert challenge["event"] == "connect.challenge"
        assert challenge["payload"]["nonce"]
        assert isinstance(challenge["payload"]["ts"], int)
        assert "seq" not in challenge


@pytest.mark.parametrize("path", ["/", "/ws", "/gateway", "/foo?x=1"])
async def test_any_path_upgrades(path: str) -> None:
    async with gateway_rig() as rig:
        client = await RawClient.open(rig.url + path)
        rig.opened.append(client)
        assert (await client.hello(TOKEN))["type"] == "hello-ok"


@pytest.mark.parametrize(
    ("first", "code", "reason"),
    [
        ('{"type":"req", nope', 1000, ""),
        ("", 1000, ""),
        (b"\xff\xfe", 1000, ""),
        ([1, 2, 3], 1008, "invalid request frame"),
        (42, 1008, "invalid request frame"),
        ("null", 1008, "invalid request frame"),
        ({"type": "event", "event": "x"}, 1008, "invalid request frame"),
        ("[" * 5000 + "]" * 5000, 1008, "invalid request frame"),
    ],
)
async def test_a_first_frame_that_is_no_request(first: Any, code: int, reason: str) -> None:
    async with gateway_rig() as rig:
        client = await challenged(rig)
        await client.send(first)
        assert await client.closed() == (code, reason)


async def test_a_first_request_that_is_not_connect() -> None:
    async with gateway_rig() as rig:
        client = await challenged(rig)
        answer = await client.call("health", {})
        text = "invalid handshake: first request must be connect"
        assert answer["error"] == {"code": "INVALID_REQUEST", "message": text}
        assert await client.closed() == (1008, text)


async def test_an_oversized_frame_before_hello() -> None:
    async with gateway_rig() as rig:
        client = await challenged(rig)
        await client.send("x" * 70_000)
        assert await client.closed() == (1009, "")


async def test_a_client_that_never_connects_is_closed() -> None:
    async with gateway_rig(handshakeTimeoutMs=50) as rig:
        assert await (await challenged(rig)).closed() == (1000, "")


async def test_requests_that_follow_connect_at_once_are_answered_in_order() -> None:
    async with gateway_rig() as rig:
        client = await challenged(rig)
        connect = {"type": "req", "id": "0", "method": "connect"}
        await client.send(connect | {"params": connect_params(TOKEN)})
        for number in range(1, 21):
            await client.send({"type": "req", "id": str(number), "method": "health"})
        answered = [(await client.response())["id"] for _ in range(21)]
        assert answered == [str(number) for number in range(21)]


async def test_clients_wait_until_the_supervisor_has_reported() -> None:
    async with gateway_rig(supervisor=False) as rig:
        client = await challenged(rig)
        connecting = asyncio.create_task(client.hello(TOKEN))
        await until(lambda: rig.parts.readiness.waiting)
        await rig.connect_supervisor(row("irc:libera"))
        hello = await connecting
        assert hello["snapshot"]["health"]["channelOrder"] == ["irc"]


async def test_too_many_frames_behind_a_connect_that_waits() -> None:
    async with gateway_rig(supervisor=False) as rig:
        client = await challenged(rig)
        connect = {"type": "req", "id": "0", "method": "connect"}
        await client.send(connect | {"params": connect_params(TOKEN)})
        for number in range(16):
            await client.send({"type": "req", "id": str(number), "method": "health"})
        assert await client.closed() == (1008, "too many pending handshake frames")


async def test_without_a_supervisor_clients_are_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runtime.gateway.clients.admission.WAIT_SECONDS", 0.05)
    async with gateway_rig(supervisor=False) as rig:
        error, code, reason = await refused(rig, connect_params(TOKEN))
        assert error == {
            "code": "UNAVAILABLE",
            "message": "gateway starting; retry shortly",
            "details": {"reason": "startup-sidecars"},
            "retryable": True,
            "retryAfterMs": 500,
        }
        assert (code, reason) == (1013, "gateway starting")


async def guess(client: RawClient, token: str) -> None:
    await client.send(
        {"type": "req", "id": "1", "method": "connect", "params": connect_params(token)}
    )


@pytest.fixture
def long_delay(monkeypatch: pytest.MonkeyPatch) -> float:
    """A delay that can be told from what a busy machine takes."""
    delay = 3.0
    for module in (throttle, guard):
        monkeypatch.setattr(module, "SUCCESS_DELAY", delay)
    return delay


async def test_a_few_guesses_of_an_address_are_in_flight_and_the_others_wait(
    long_delay: float,
) -> None:
    """However many connections guess: eight secrets are looked at in the time of an answer."""
    async with gateway_rig() as rig:
        loop, key = asyncio.get_running_loop(), Key()
        own = (await paired(rig, key)).auth["deviceToken"]
        guessing = [await challenged(rig) for _ in range(30)]
        for number, client in enumerate(guessing):
            await guess(client, f"wrong {number}")
        await until(lambda: rig.parts.hub.refused["AUTH_TOKEN_MISMATCH"] == 8)
        began = loop.time()  # who proves itself otherwise never waits
        _, answer = await offer(rig, key, auth={"token": own})
        assert answer["ok"], answer
        await (await Client.connect(rig.url, token=SESSION)).close()
        assert loop.time() - began < long_delay
        assert rig.parts.hub.refused["AUTH_TOKEN_MISMATCH"] == 8
        await until(lambda: rig.parts.hub.refused["AUTH_TOKEN_MISMATCH"] > 8)  # one was answered


async def test_the_right_secret_is_late_by_a_moment_beside_guesses_that_were_given_up(
    long_delay: float,
) -> None:
    """Who does not wait for the answer learns nothing before that moment, and frees the turn."""
    async with gateway_rig() as rig:
        loop = asyncio.get_running_loop()
        for _ in range(2):
            guessing = [await challenged(rig) for _ in range(20)]
            for client in guessing:
                await guess(client, "wrong")
            await until(lambda: rig.parts.hub.refused["AUTH_TOKEN_MISMATCH"] >= 8)
            for client in guessing:
                client.socket.transport.abort()
        await until(lambda: len(rig.parts.server.connections) == 1)  # the supervisor
        began = loop.time()
        assert await (await challenged(rig)).hello(TOKEN)
        assert long_delay <= loop.time() - began < 4 * long_delay


async def test_programs_with_a_wrong_secret_keep_no_others_of_their_address_out() -> None:
    """Their answers are seconds late; the turns of the others come long before."""
    async with gateway_rig() as rig:
        wrong, right = [[await challenged(rig) for _ in range(40)] for _ in range(2)]
        for client in wrong:
            await guess(client, "wrong")
        await asyncio.gather(*(client.hello(TOKEN) for client in right))
        answered = sum(client.socket.close_code is not None for client in wrong)
        assert rig.parts.hub.refused["AUTH_TOKEN_MISMATCH"] == 40
        assert answered < 20


@pytest.mark.parametrize("protocol", [3, 4])
async def test_a_wrong_secret_is_answered_late_in_each_protocol(protocol: int) -> None:
    async with gateway_rig() as rig:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await refused(rig, connect_params("wrong", protocol))
        assert loop.time() - began >= 0.25


async def test_a_late_answer_comes_before_the_handshake_is_given_up() -> None:
    async with gateway_rig(handshakeTimeoutMs=600) as rig:
        for _ in range(4):  # the fourth would be two seconds late
            error, code, _ = await refused(rig, connect_params("wrong"))
            assert (error["details"]["code"], code) == ("AUTH_TOKEN_MISMATCH", 1008)


@pytest.mark.parametrize(
    ("limit", "age", "left"),
    [
        (15.0, 1.0, 15.0),
        (15.0, 12.0, 13.0),  # 10 for the head, and 15
        (15.0, 24.0, 5.0),
        (15.0, 29.0, 5.0),
        (1.0, 2.0, 1.0),  # as configured
    ],
)
def test_a_handshake_has_no_more_time_because_gateways_are_killed(
    limit: float, age: float, left: float
) -> None:
    assert handshake_left(limit, age) == left

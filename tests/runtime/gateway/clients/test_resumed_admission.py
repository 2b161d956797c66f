"""Handshakes that a gateway which was killed had begun: a real gateway goes on with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from ipc.epoch import now_ms
from ipc.websocket import young
from runtime.gateway.access.scopes import OPERATOR, READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import METHODS, Method, TwoAnswers, allowed
from runtime.gateway.parts import GatewayParts
from tests.support.devices import Key
from tests.support.echo_server import text_frame
from tests.support.gateway_rig import TOKEN, gateway_rig, row
from tests.support.messages import KEY, acked
from tests.support.predecessor import (
    CHALLENGE,
    CONNECTION,
    HEAD,
    HEALTH,
    HELLO,
    NONCE,
    SWITCHED,
    leave,
    refused,
)
from tests.support.rawclient import connect_params
from tests.support.until import PATIENCE, until
from tests.support.young_client import YoungClient, request
from tests.support.young_slots import SlotsRig, slots_rig

CONNECT = request("c", "connect", connect_params(TOKEN))
WRONG = request("c", "connect", connect_params("wrong"))
GREETED = SWITCHED + CHALLENGE + HELLO + HEALTH


@pytest.fixture
def slots() -> Iterator[SlotsRig]:
    with slots_rig() as made:
        yield made


async def test_a_client_with_a_hello_gets_no_other_and_goes_on(slots: SlotsRig) -> None:
    client = await leave(slots, HEAD + CONNECT, GREETED)
    async with gateway_rig(slots=slots.inherit()) as rig:
        await client.send(request("r", "health"))
        assert (await client.answer("r"))["ok"]
        said = [each.get("event") or each["id"] for each in client.frames]
        assert said[:4] == ["connect.challenge", "c", "health", "health"]
        assert [each["seq"] for each in client.frames if "seq" in each][:2] == [1, 2]
        assert CONNECTION in {each.id for each in rig.parts.hub.clients}
        await client.close()


async def test_what_had_not_left_comes_first(slots: SlotsRig) -> None:
    half = len(CHALLENGE) // 2
    client = await leave(slots, HEAD + CONNECT[:50], SWITCHED + CHALLENGE, kept_back=half)
    async with gateway_rig(slots=slots.inherit()):
        challenge = await client.next()
        assert challenge["payload"]["nonce"] == NONCE
        await client.send(CONNECT[50:])
        assert (await client.answer("c"))["ok"]
        await client.close()


async def test_a_signature_over_the_old_nonce_counts_and_requests_behind_it_are_sorted(
    slots: SlotsRig,
) -> None:
    challenge = {"payload": {"nonce": NONCE, "ts": now_ms()}}
    params = json.dumps(
        {"type": "req", "id": "c", "method": "connect", "params": Key().params(challenge)}
    )
    requests = request("a", "cron.list", {}) + request("b", "cron.remove", {"id": "x"})
    requests += request("d", "health")
    received = HEAD + text_frame(params.encode()) + requests
    client = await leave(slots, received, GREETED + refused("a"))
    async with gateway_rig(slots=slots.inherit()):
        error = (await client.answer("b"))["error"]
        assert error["details"] == {"method": "cron.remove", "reason": "gateway-replaced"}
        assert (await client.answer("d"))["ok"]
        ids = [each["id"] for each in client.frames if each["type"] == "res"]
        assert ids == ["c", "a", "b", "d"]
        await client.close()


async def test_one_with_a_hello_waits_for_the_first_report(slots: SlotsRig) -> None:
    client = await leave(slots, HEAD + CONNECT + request("r", "health"), GREETED)
    async with gateway_rig(supervisor=False, slots=slots.inherit()) as rig:
        await until(lambda: rig.parts.readiness.waiting == 1)
        await rig.connect_supervisor(row("irc:libera"))
        assert (await client.answer("r"))["ok"]
        await client.close()


@pytest.mark.parametrize(
    ("received", "sent", "ends"),
    [
        (HEAD + WRONG, GREETED, b""),  # the secret has changed: a refusal would answer nothing
        (HEAD + CONNECT, SWITCHED + CHALLENGE + refused("c"), b""),  # and here a hello
        (HEAD + WRONG, SWITCHED + CHALLENGE + refused("c"), b"\x03\xf0unauthorized"),
    ],
)
async def test_another_answer_than_it_has_got_is_not_given(
    slots: SlotsRig, received: bytes, sent: bytes, ends: bytes
) -> None:
    client = await leave(slots, received, sent)
    async with gateway_rig(slots=slots.inherit()):
        try:
            rest = await client.ended()
        except ConnectionError:
            rest = b""
        _, _, after = (SWITCHED + rest).partition(sent[len(SWITCHED) :])
        assert after[2:].startswith(ends)
        assert bool(after) is bool(ends)
        await client.close()


async def test_without_a_predecessor_nothing_is_different(slots: SlotsRig) -> None:
    async with gateway_rig(slots=slots.inherit()) as rig:
        client = await YoungClient.open(rig.port)
        assert (await client.hello(TOKEN))["ok"]
        await client.send(request("r", "health"))
        assert (await client.answer("r"))["ok"]
        (connected,) = [each for each in rig.parts.hub.clients if each.role == "operator"]
        assert isinstance(connected, ConnectedClient)
        await until(lambda: connected.connection.young is None)  # once its answer has left
        assert not slots.inherit().filled()
        await client.close()


async def test_one_that_waits_for_a_second_answer_is_kept_no_longer(
    slots: SlotsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def twice(parts: GatewayParts, client: ConnectedClient, params: None) -> TwoAnswers:
        return TwoAnswers({"n": 1}, later, lambda n: {"n": n})

    entry = Method("test.twice", READ, frozenset({OPERATOR}), twice, waits=True, decoder=None)
    monkeypatch.setitem(METHODS, entry.name, entry)
    allowed.cache_clear()
    try:
        async with gateway_rig(slots=slots.inherit()) as rig:
            (supervisor,) = rig.parts.hub.clients
            assert isinstance(supervisor, ConnectedClient)
            await until(lambda: supervisor.connection.young is None)  # it stays: see ``Admission``
            client = await YoungClient.open(rig.port)
            assert (await client.hello(TOKEN))["ok"]
            assert len(young_of(slots)) == 1
            await client.send(request("r", entry.name))
            assert (await client.answer("r"))["payload"] == {"n": 1}
            assert not young_of(slots)  # half of its answers: it cannot be repeated
            later.set_result(2)
            assert (await client.answer("r"))["payload"] == {"n": 2}
            await client.close()
    finally:
        allowed.cache_clear()


async def test_one_that_has_got_some_of_a_replay_is_kept_no_longer(
    slots: SlotsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway_rig(slots=slots.inherit()) as rig:
        worker = await rig.worker(KEY)
        worker.say(1)
        await acked(worker, 1)
        await until(lambda: not young_of(slots))  # the supervisor's stays: see ``Admission``
        monkeypatch.setattr(young, "WRITTEN_SECONDS", PATIENCE)  # no answer ends the client's
        async with closing(await YoungClient.open(rig.port)) as client:
            assert (await client.hello(TOKEN))["ok"]
            await client.send(request("n", "events.subscribe", {"cursors": {KEY: "1:1"}}))
            assert (await client.answer("n"))["payload"]["replayed"] == 0
            assert len(young_of(slots)) == 1
            await client.send(request("r", "events.subscribe", {"cursors": {KEY: "1:0"}}))
            while (await client.next()).get("event") != "channel.message":
                pass
            assert not young_of(slots)  # the next gateway would send what it has once more


@asynccontextmanager
async def closing(client: YoungClient) -> AsyncIterator[YoungClient]:
    try:
        yield client
    finally:
        await client.close()


def young_of(slots: SlotsRig) -> list[int]:
    """Return the ports of the clients whose sockets are in slots."""
    found = []
    for _, sock in slots.inherit().filled():
        with sock:
            found.append(sock.getpeername()[1])
    return found

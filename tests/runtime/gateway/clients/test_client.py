"""Requests of clients that have said hello: the table, bad frames, calls that wait."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.data import Answer, Call
from tests.support.devices import Key, node
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted
from tests.support.until import until

KEY = "irc:libera"
SENT = b'{"id":"m-1","chat":"#room","ts":5}'
SEND = {"to": "#room", "message": "hi", "idempotencyKey": "k-1"}


@pytest.mark.parametrize(
    ("frame", "id", "message"),
    [
        ('{"nope', "invalid", None),
        (b"\xff", "invalid", None),
        ([1], "invalid", "at root: must be object"),
        ({"type": "event", "event": "x"}, "invalid", None),
        ({"type": "req", "id": 7, "method": "health"}, 7, "at /id: must be string"),
        ({"type": "req", "id": "a"}, "a", "must have required property 'method'"),
        (
            {"type": "req", "id": "a", "method": "health", "bogus": 1},
            "a",
            "at root: unexpected property 'bogus'",
        ),
    ],
)
async def test_a_bad_frame_is_answered_and_the_connection_stays(
    frame: Any, id: Any, message: str | None
) -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        await client.send(frame)
        answer = await client.response()
        assert answer["id"] == id
        assert answer["error"]["code"] == "INVALID_REQUEST"
        assert answer["error"]["message"].startswith("invalid request frame: ")
        if message is not None:
            assert answer["error"]["message"] == f"invalid request frame: {message}"
        assert (await client.call("health"))["ok"]


async def test_half_of_a_character_is_json_and_is_answered_under_its_id() -> None:
    """A program that cuts a text between the halves of an emoji sends it without knowing."""
    async with gateway_rig() as rig:
        client = await greeted(rig)
        for number in range(12):
            cut = r'"method":"health","params":{"x":"\ud83d"}'
            await client.send(f'{{"type":"req","id":"s{number}",{cut}}}')
            answer = await client.response()
            assert answer["id"] == f"s{number}"
            assert answer["error"]["message"].endswith("half of a surrogate pair in a string")
        assert rig.parts.hub.malformed == 0
        assert (await client.call("health"))["ok"]


async def test_repeated_malformed_frames_close() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        for _ in range(11):
            await client.send("{")
        assert await client.closed() == (1008, "repeated malformed frames")


@pytest.mark.parametrize("protocol", [3, 4])
async def test_a_second_connect_and_an_unknown_method(protocol: int) -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig, protocol)
        answer = await client.call("connect", {})
        assert answer["error"]["message"] == "connect is only valid as the first request"
        answer = await client.call("no.such", {})
        # Protocol 3 left this client without scopes, and asks for the scope first.
        message = "unknown method: no.such" if protocol == 4 else "missing scope: operator.admin"
        assert answer["error"] == {"code": "INVALID_REQUEST", "message": message}


async def test_a_node_may_ask_for_health_only_and_is_closed_when_it_insists() -> None:
    async with gateway_rig() as rig:
        client = await node(rig, Key())
        assert (await client.call("health"))["ok"]
        for _ in range(11):
            answer = await client.call("status")
            assert answer["error"]["message"] == "unauthorized role: node"
        assert await client.closed() == (1008, "repeated unauthorized calls")


async def test_duplicate_ids_are_both_answered() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        for _ in range(2):
            await client.send({"type": "req", "id": "same", "method": "health"})
        assert [(await client.response())["id"] for _ in range(2)] == ["same", "same"]


async def test_fragments_binary_frames_and_large_frames_are_requests_too() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        text = json.dumps({"type": "req", "id": "1", "method": "health", "params": {"é": "é"}})
        await client.socket.send([text[:10], text[10:11], text[11:]])
        assert (await client.response())["ok"]
        await client.send(text.encode())
        assert (await client.response())["ok"]
        large = {"type": "req", "id": "2", "method": "health", "params": {"x": "y" * 1_000_000}}
        await client.send(large)
        assert (await client.response())["ok"]


# Channels


# Sending


async def test_too_many_calls_of_one_client_are_answered_busy() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        calls: list[Call] = []
        worker.on_call = calls.append
        client = await greeted(rig)
        for number in range(257):
            frame = {"type": "req", "id": str(number), "method": "send", "params": SEND}
            await client.send(frame)
        answer = await client.response()
        assert answer["id"] == "256"
        assert answer["error"] == {
            "code": "UNAVAILABLE",
            "message": "The server is busy. Please try again in a moment.",
            "retryable": True,
        }
        await until(lambda: len(calls) == 256)
        worker.send(*(Answer(call.id, True, SENT) for call in calls))
        answered = {(await client.response())["id"] for _ in range(256)}
        assert answered == {str(number) for number in range(256)}


async def test_a_fault_in_a_send_is_that_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*args: object) -> str:
        raise ValueError("a fault of ours")

    async with gateway_rig() as rig:
        client = await rig.client()
        params = {"channel": "irc", "to": "x", "message": "hi", "idempotencyKey": "k"}
        with monkeypatch.context() as broken:
            broken.setattr("runtime.gateway.accounts.rows.Accounts.resolve", fault)
            with pytest.raises(RemoteError, match="send: internal error"):
                await client.call("send", params)
        assert (await client.call("health"))["ok"] is True

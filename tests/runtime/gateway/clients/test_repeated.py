"""Requests that another gateway has read: done again, answered already, or of unknown outcome."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ipc.websocket.connection import Connection
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.earlier import EarlierTalk
from runtime.gateway.clients.repeated import RepeatedRequests
from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.handshakes import greeted

UNKNOWN = "{}: the gateway was replaced while it carried this out; whether it was done is unknown"
SEND = {"to": "#room", "message": "hi", "channel": "irc"}


def req(id: str, method: str, params: Any = None) -> bytes:
    said = {"type": "req", "id": id, "method": method}
    return json.dumps(said if params is None else said | {"params": params}).encode()


def the_client(rig: GatewayRig) -> tuple[ConnectedClient, Connection]:
    """Return the gateway's side of the only client."""
    (client,) = [each for each in rig.parts.hub.clients if each.role == "operator"]
    assert isinstance(client, ConnectedClient)
    return client, client.connection


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("health", None, None),  # only reads
        ("cron.list", {}, None),
        ("send", SEND | {"idempotencyKey": "k"}, "no account"),  # done, and refused by itself
        ("cron.remove", {"id": "x"}, UNKNOWN.format("cron.remove")),
        ("config.set", {"raw": "{}"}, UNKNOWN.format("config.set")),
        ("config.set", {"bogus": 1}, "invalid config.set params"),  # it cannot have been done
        ("no.such.method", None, "unknown method: no.such.method"),
    ],
)
async def test_a_request_is_carried_out_again_unless_it_may_not_be(
    method: str, params: Any, message: str | None
) -> None:
    async with gateway_rig() as rig:
        raw = await greeted(rig)
        client, connection = the_client(rig)
        connection.receive = RepeatedRequests(client, EarlierTalk(requests=1)).receive
        connection.receive(req("r", method, params))
        answer = await raw.response()
        assert answer["id"] == "r"
        if message is None:
            assert answer["ok"], answer
        elif message.startswith(method) and "replaced" in message:
            assert answer["error"]["message"] == message
            assert answer["error"]["code"] == "UNAVAILABLE"
            assert answer["error"]["details"] == {"method": method, "reason": "gateway-replaced"}
        else:
            assert "replaced" not in answer["error"]["message"]
        assert (await raw.call("health"))["ok"]  # the next one is as any other


@pytest.mark.parametrize(
    ("first", "second"), [("config.set", "health"), ("health", "config.set"), ("health", "health")]
)
async def test_what_shares_its_id_with_an_answer_is_of_unknown_outcome(
    first: str, second: str
) -> None:
    async with gateway_rig() as rig:
        raw = await greeted(rig)
        client, connection = the_client(rig)
        talk = EarlierTalk(requests=3, answered=("a",))
        connection.receive = RepeatedRequests(client, talk).receive
        params = {"config.set": {"raw": "{}"}, "health": {}}
        connection.receive(req("a", first, params[first]))
        connection.receive(req("a", second, params[second]))
        connection.receive(req("b", "health"))
        answer = await raw.response()
        assert answer["id"] == "a"
        assert answer["error"]["message"] == UNKNOWN.format(second)
        assert (await raw.response())["id"] == "b"


async def test_what_is_answered_is_not_answered_again() -> None:
    async with gateway_rig() as rig:
        raw = await greeted(rig)
        client, connection = the_client(rig)
        talk = EarlierTalk(requests=4, answered=("a", "invalid", "a"))
        connection.receive = RepeatedRequests(client, talk).receive
        for text in (req("a", "health"), b"{", req("a", "cron.remove", {"id": "x"}), b"["):
            connection.receive(text)
        answer = await raw.response()  # to the last one alone
        assert answer["id"] == "invalid"
        assert connection.receive == client.receive
        assert client.is_answered()

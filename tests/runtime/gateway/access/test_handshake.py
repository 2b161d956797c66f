"""The handshake over real sockets, in both protocols."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.websocket.client import Client
from tests.support.gateway_rig import TOKEN, gateway_rig
from tests.support.handshakes import challenged, greeted, refused
from tests.support.rawclient import connect_params

CLIENT = {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"}


@pytest.mark.parametrize(("low", "high", "chosen"), [(3, 4, 4), (2, 9, 4), (3, 3, 3), (1, 3, 3)])
async def test_the_highest_common_protocol_is_chosen(low: int, high: int, chosen: int) -> None:
    async with gateway_rig() as rig:
        client = await challenged(rig)
        hello = await client.hello(TOKEN, minProtocol=low, maxProtocol=high)
        assert hello["protocol"] == chosen


@pytest.mark.parametrize(("low", "high"), [(99, 99), (1, 2), (5, 9), (4, 3)])
async def test_no_common_protocol(low: int, high: int) -> None:
    async with gateway_rig() as rig:
        params = connect_params(TOKEN, minProtocol=low, maxProtocol=high)
        error, code, reason = await refused(rig, params)
        assert (code, reason) == (1002, "protocol mismatch")
        assert error["details"] == {
            "code": "PROTOCOL_MISMATCH",
            "clientMinProtocol": low,
            "clientMaxProtocol": high,
            "expectedProtocol": 4,
            "minimumProbeProtocol": 3,
        }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "must have required property 'minProtocol'"),
        (connect_params(TOKEN, bogus=1), "at root: unexpected property 'bogus'"),
        (
            connect_params(TOKEN, client=CLIENT | {"id": "mine"}),
            "at /client/id: must be equal to one of the allowed values",
        ),
        (
            connect_params(TOKEN, client=CLIENT | {"mode": "operator"}),
            "at /client/mode: must be equal to one of the allowed values",
        ),
        (connect_params(TOKEN, minProtocol=0), "at /minProtocol: must be >= 1"),
    ],
)
async def test_bad_params_of_connect(params: dict[str, Any], message: str) -> None:
    async with gateway_rig() as rig:
        error, code, reason = await refused(rig, params)
        assert error == {
            "code": "INVALID_REQUEST",
            "message": f"invalid connect params: {message}",
        }
        assert (code, reason) == (1008, f"invalid connect params: {message}")


async def test_an_unknown_role() -> None:
    async with gateway_rig() as rig:
        error, code, reason = await refused(rig, connect_params(TOKEN, role="wizard"))
        assert error == {"code": "INVALID_REQUEST", "message": "invalid role"}
        assert (code, reason) == (1008, "invalid role")


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("token", [None, ""])
async def test_no_token(protocol: int, token: str | None) -> None:
    async with gateway_rig() as rig:
        error, code, reason = await refused(rig, connect_params(token, protocol))
        assert error == {
            "code": "NOT_PAIRED",
            "message": "device identity required",
            "details": {"code": "DEVICE_IDENTITY_REQUIRED"},
        }
        assert (code, reason) == (1008, "device identity required")


async def test_a_wrong_token_is_answered_ever_more_slowly() -> None:
    async with gateway_rig() as rig:
        loop = asyncio.get_running_loop()
        took = []
        for _ in range(2):
            began = loop.time()
            error, code, reason = await refused(rig, connect_params("wrong"))
            took.append(loop.time() - began)
        text = "unauthorized: gateway token mismatch (provide gateway auth token)"
        assert (code, reason) == (1008, text)
        assert error == {
            "code": "INVALID_REQUEST",
            "message": text,
            "details": {
                "code": "AUTH_TOKEN_MISMATCH",
                "authReason": "token_mismatch",
                "canRetryWithDeviceToken": False,
                "recommendedNextStep": "update_auth_credentials",
            },
        }
        assert took[0] >= 0.25
        assert took[1] >= 0.5


async def test_a_password_may_come_in_either_place() -> None:
    async with gateway_rig(auth={"token": TOKEN, "password": "secret-word"}) as rig:
        hello = await (await challenged(rig)).hello(TOKEN, auth={"password": "secret-word"})
        assert hello["auth"]["method"] == "password"
        assert (await (await challenged(rig)).hello("secret-word"))["auth"]["method"] == "password"


async def test_a_foreign_origin() -> None:
    async with gateway_rig() as rig:
        client = await challenged(rig, origin="http://evil.example")
        answer = await client.call("connect", connect_params(TOKEN))
        assert answer["error"]["details"]["code"] == "CONTROL_UI_ORIGIN_NOT_ALLOWED"
        assert (await client.closed())[0] == 1008


async def test_an_origin_that_is_the_gateway_itself_or_allowed() -> None:
    async with gateway_rig(allowedOrigins=["https://panel.example"]) as rig:
        for origin in (f"http://127.0.0.1:{rig.port}", "https://panel.example"):
            assert await (await challenged(rig, origin=origin)).hello(TOKEN)


@pytest.mark.parametrize(
    ("protocol", "client", "kept"),
    [
        (4, {"id": "gateway-client", "mode": "backend"}, True),
        (4, {"id": "cli", "mode": "cli"}, True),
        (4, {"id": "test", "mode": "test"}, False),
        (3, {"id": "gateway-client", "mode": "backend"}, False),
        (3, {"id": "cli", "mode": "cli"}, False),
    ],
)
async def test_scopes_without_a_device(protocol: int, client: dict[str, str], kept: bool) -> None:
    async with gateway_rig() as rig:
        admitted = await greeted(rig, protocol, client=CLIENT | client)
        answer = await admitted.call("status")
        assert answer["ok"] is kept
        if kept:
            return
        error: dict[str, Any] = {
            "code": "INVALID_REQUEST",
            "message": "missing scope: operator.read",
        }
        if protocol == 4:
            details = {
                "code": "MISSING_SCOPE",
                "missingScope": "operator.read",
                "requiredScopes": ["operator.read"],
            }
            error = error | {"code": "FORBIDDEN", "details": details}
        assert answer["error"] == error
        assert (await admitted.call("health"))["ok"]


async def test_the_real_client_library_gets_in_with_both_protocols() -> None:
    async with gateway_rig() as rig:
        for protocol in (3, 4):
            client = await Client.connect(rig.url, token=TOKEN, max_protocol=protocol)
            rig.opened.append(client)
            assert client.protocol == protocol

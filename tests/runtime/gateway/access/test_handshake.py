"""The handshake over real sockets: the rows of PROTOCOL.md 1.3 to 1.10, for both protocols."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.websocket.client import Client
from tests.support.house import TOKEN, House, connect_supervisor, house, row
from tests.support.rawclient import SCOPES, RawClient, connect_params
from tests.support.until import until

CLIENT = {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"}


async def raw(home: House, **more: Any) -> RawClient:
    client = await RawClient.open(home.url, **more)
    home.opened.append(client)
    return client


async def refused(home: House, params: dict[str, Any], **more: Any) -> tuple[Any, int | None, str]:
    """Return error, close code and reason of a ``connect`` that fails."""
    client = await raw(home, **more)
    answer = await client.call("connect", params)
    assert answer["ok"] is False
    assert "payload" not in answer
    code, reason = await client.closed()
    return answer["error"], code, reason or ""


async def test_the_server_speaks_first() -> None:
    async with house() as home:
        challenge = (await raw(home)).challenge
        assert challenge["event"] == "connect.challenge"
        assert challenge["payload"]["nonce"]
        assert isinstance(challenge["payload"]["ts"], int)
        assert "seq" not in challenge


@pytest.mark.parametrize("path", ["/", "/ws", "/gateway", "/foo?x=1"])
async def test_any_path_upgrades(path: str) -> None:
    async with house() as home:
        client = await RawClient.open(home.url + path)
        home.opened.append(client)
        assert (await client.hello(TOKEN))["type"] == "hello-ok"


async def test_hello_of_protocol_4() -> None:
    async with house() as home:
        hello = await (await raw(home)).hello(TOKEN)
        assert hello["protocol"] == 4
        assert hello["server"].keys() == {"version", "connId", "bootId", "buildId"}
        assert hello["auth"] == {"method": "token", "role": "operator", "scopes": SCOPES}
        assert hello["snapshot"]["suspension"] == {"phase": "accepting"}
        assert hello["snapshot"]["configPath"] == "/state/trunkline.json5"
        assert hello["policy"]["maxPayload"] == 26_214_400
        assert hello["policy"]["tickIntervalMs"] == 30_000
        assert hello["features"]["capabilities"] == []
        assert "channels.report" not in hello["features"]["methods"]
        assert {"health", "send", "channels.stop"} <= set(hello["features"]["methods"])


async def test_hello_of_protocol_3() -> None:
    async with house() as home:
        hello = await (await raw(home)).hello(TOKEN, 3)
        assert hello["protocol"] == 3
        assert hello["server"].keys() == {"version", "connId"}
        assert "auth" not in hello
        assert "capabilities" not in hello["features"]
        assert "suspension" not in hello["snapshot"]
        assert hello["snapshot"]["presence"][0]["reason"] == "self"


@pytest.mark.parametrize(("low", "high", "chosen"), [(3, 4, 4), (2, 9, 4), (3, 3, 3), (1, 3, 3)])
async def test_the_highest_common_protocol_is_chosen(low: int, high: int, chosen: int) -> None:
    async with house() as home:
        client = await raw(home)
        hello = await client.hello(TOKEN, minProtocol=low, maxProtocol=high)
        assert hello["protocol"] == chosen


@pytest.mark.parametrize(("low", "high"), [(99, 99), (1, 2), (5, 9), (4, 3)])
async def test_no_common_protocol(low: int, high: int) -> None:
    async with house() as home:
        params = connect_params(TOKEN, minProtocol=low, maxProtocol=high)
        error, code, reason = await refused(home, params)
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
    async with house() as home:
        error, code, reason = await refused(home, params)
        assert error == {
            "code": "INVALID_REQUEST",
            "message": f"invalid connect params: {message}",
        }
        assert (code, reason) == (1008, f"invalid connect params: {message}")


async def test_an_unknown_role() -> None:
    async with house() as home:
        error, code, reason = await refused(home, connect_params(TOKEN, role="wizard"))
        assert error == {"code": "INVALID_REQUEST", "message": "invalid role"}
        assert (code, reason) == (1008, "invalid role")


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("token", [None, ""])
async def test_no_token(protocol: int, token: str | None) -> None:
    async with house() as home:
        error, code, reason = await refused(home, connect_params(token, protocol))
        assert error == {
            "code": "NOT_PAIRED",
            "message": "device identity required",
            "details": {"code": "DEVICE_IDENTITY_REQUIRED"},
        }
        assert (code, reason) == (1008, "device identity required")


async def test_a_wrong_token_is_answered_ever_more_slowly() -> None:
    async with house() as home:
        loop = asyncio.get_running_loop()
        took = []
        for _ in range(2):
            began = loop.time()
            error, code, reason = await refused(home, connect_params("wrong"))
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
    async with house(auth={"token": TOKEN, "password": "secret-word"}) as home:
        hello = await (await raw(home)).hello(TOKEN, auth={"password": "secret-word"})
        assert hello["auth"]["method"] == "password"
        assert (await (await raw(home)).hello("secret-word"))["auth"]["method"] == "password"


async def test_a_foreign_origin() -> None:
    async with house() as home:
        client = await raw(home, origin="http://evil.example")
        answer = await client.call("connect", connect_params(TOKEN))
        assert answer["error"]["details"]["code"] == "CONTROL_UI_ORIGIN_NOT_ALLOWED"
        assert (await client.closed())[0] == 1008


async def test_an_origin_that_is_the_gateway_itself_or_allowed() -> None:
    async with house(allowedOrigins=["https://panel.example"]) as home:
        for origin in (f"http://127.0.0.1:{home.port}", "https://panel.example"):
            assert await (await raw(home, origin=origin)).hello(TOKEN)


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
    async with house() as home:
        client = await raw(home)
        await client.send(first)
        assert await client.closed() == (code, reason)


async def test_a_first_request_that_is_not_connect() -> None:
    async with house() as home:
        client = await raw(home)
        answer = await client.call("health", {})
        text = "invalid handshake: first request must be connect"
        assert answer["error"] == {"code": "INVALID_REQUEST", "message": text}
        assert await client.closed() == (1008, text)


async def test_an_oversized_frame_before_hello() -> None:
    async with house() as home:
        client = await raw(home)
        await client.send("x" * 70_000)
        assert await client.closed() == (1009, "")


async def test_a_client_that_never_connects_is_closed() -> None:
    async with house(handshakeTimeoutMs=50) as home:
        assert await (await raw(home)).closed() == (1000, "")


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
    async with house() as home:
        opened = await raw(home)
        await opened.hello(TOKEN, protocol, client=CLIENT | client)
        answer = await opened.call("status")
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
        assert (await opened.call("health"))["ok"]


async def test_requests_that_follow_connect_at_once_are_answered_in_order() -> None:
    async with house() as home:
        client = await raw(home)
        connect = {"type": "req", "id": "0", "method": "connect"}
        await client.send(connect | {"params": connect_params(TOKEN)})
        for number in range(1, 21):
            await client.send({"type": "req", "id": str(number), "method": "health"})
        answered = [(await client.response())["id"] for _ in range(21)]
        assert answered == [str(number) for number in range(21)]


async def test_clients_wait_until_the_supervisor_has_reported() -> None:
    async with house(supervisor=False) as home:
        client = await raw(home)
        connecting = asyncio.create_task(client.hello(TOKEN))
        await until(lambda: home.gateway.admissions)
        await connect_supervisor(home, row("irc:libera"))
        hello = await connecting
        assert hello["snapshot"]["health"]["channelOrder"] == ["irc"]


async def test_too_many_frames_behind_a_connect_that_waits() -> None:
    async with house(supervisor=False) as home:
        client = await raw(home)
        connect = {"type": "req", "id": "0", "method": "connect"}
        await client.send(connect | {"params": connect_params(TOKEN)})
        for number in range(16):
            await client.send({"type": "req", "id": str(number), "method": "health"})
        assert await client.closed() == (1008, "too many pending handshake frames")


async def test_without_a_supervisor_clients_are_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runtime.gateway.clients.admission.WAIT_SECONDS", 0.05)
    async with house(supervisor=False) as home:
        error, code, reason = await refused(home, connect_params(TOKEN))
        assert error == {
            "code": "UNAVAILABLE",
            "message": "gateway starting; retry shortly",
            "details": {"reason": "startup-sidecars"},
            "retryable": True,
            "retryAfterMs": 500,
        }
        assert (code, reason) == (1013, "gateway starting")


async def test_the_private_exchange_is_nobody_elses() -> None:
    async with house() as home:
        client = await home.client()
        for name in ("channels.report", "supervisor.result", "gateway.closing"):
            with pytest.raises(RemoteError, match=f"unknown method: {name}"):
                await client.call(name, {})


async def test_the_real_client_library_gets_in_with_both_protocols() -> None:
    async with house() as home:
        for protocol in (3, 4):
            client = await Client.connect(home.url, token=TOKEN, max_protocol=protocol)
            home.opened.append(client)
            assert client.protocol == protocol

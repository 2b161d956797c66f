"""Device identities over real sockets, in both protocols."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.websocket import Event
from ipc.identity import signature
from ipc.identity.device import Identity
from runtime.gateway.access.handshake import Connect
from runtime.gateway.devices.devices import Devices
from runtime.gateway.devices.registry import Registry
from tests.support.devices import Key, node, paired, refused_device
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import challenged
from tests.support.rawclient import SCOPES
from tests.support.until import until

FAR = {"x-forwarded-for": "203.0.113.9"}
PROXIED: dict[str, Any] = {"trustedProxies": ["127.0.0.1"]}


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("version", [signature.V2, signature.V3])
async def test_a_device_on_this_host_is_paired_silently(protocol: int, version: int) -> None:
    async with gateway_rig() as rig:
        operator = await rig.client()
        key = Key()
        client = await paired(rig, key, protocol, version=version)
        assert len(client.auth["deviceToken"]) == 43
        assert client.auth["issuedAtMs"] > 1_700_000_000_000
        assert (client.auth["role"], client.auth["scopes"]) == ("operator", SCOPES)
        assert client.auth.get("method") == ("token" if protocol == 4 else None)
        assert (await client.call("status"))["ok"]
        async for event in operator.events():
            if event.event == "device.pair.resolved":
                payload = json.loads(bytes(event.payload))  # type: ignore[arg-type]
                assert (payload["deviceId"], payload["decision"]) == (key.id, "approved")
                assert isinstance(event.seq, int)
                break


@pytest.mark.parametrize("where", ["token", "deviceToken"])
async def test_a_device_token_opens_the_door_and_is_given_back(where: str) -> None:
    async with gateway_rig() as rig:
        key = Key()
        first = await paired(rig, key)
        token = first.auth["deviceToken"]
        again = await paired(rig, key, auth={where: token})
        assert again.auth["method"] == "device-token"
        assert (again.auth["deviceToken"], again.auth["issuedAtMs"]) == (
            token,
            first.auth["issuedAtMs"],
        )
        assert (await again.call("status"))["ok"]


async def test_the_token_is_the_same_while_the_gateway_lives() -> None:
    async with gateway_rig() as rig:
        key = Key()
        tokens = {(await paired(rig, key)).auth["deviceToken"] for _ in range(3)}
        assert len(tokens) == 1


@pytest.mark.parametrize(
    ("auth", "message", "code", "reason", "retry"),
    [
        (
            {"token": "wrong"},
            "gateway token mismatch (use this gateway's gateway.auth.token or pair the device)",
            "AUTH_TOKEN_MISMATCH",
            "token_mismatch",
            True,
        ),
        (
            {"deviceToken": "wrong"},
            "device token mismatch (rotate/reissue device token)",
            "AUTH_DEVICE_TOKEN_MISMATCH",
            "device_token_mismatch",
            False,
        ),
        (
            {},
            "gateway token missing (use this gateway's gateway.auth.token or pair the device)",
            "AUTH_TOKEN_MISSING",
            "token_missing",
            False,
        ),
    ],
)
async def test_a_device_with_a_wrong_secret(
    auth: dict[str, str], message: str, code: str, reason: str, retry: bool
) -> None:
    async with gateway_rig() as rig:
        error, closed = await refused_device(rig, Key(), auth=auth)
        step = "retry_with_device_token" if retry else "update_auth_credentials"
        assert error == {
            "code": "INVALID_REQUEST",
            "message": f"unauthorized: {message}",
            "details": {
                "code": code,
                "authReason": reason,
                "canRetryWithDeviceToken": retry,
                "recommendedNextStep": step,
            },
        }
        assert closed == f"unauthorized: {message}"


async def test_a_device_token_opens_no_more_than_it_was_given_for() -> None:
    async with gateway_rig() as rig:
        key = Key()
        token = (await paired(rig, key, scopes=["operator.read"])).auth["deviceToken"]
        error, _ = await refused_device(rig, key, auth={"token": token}, scopes=["operator.admin"])
        assert error["details"]["code"] == "AUTH_SCOPE_MISMATCH"
        less = await paired(rig, key, auth={"token": token}, scopes=["operator.read"])
        assert (await less.call("status"))["ok"]
        assert (await less.call("channels.stop", {"channel": "irc"}))["error"][
            "code"
        ] == "FORBIDDEN"
        error, _ = await refused_device(
            rig, key, auth={"deviceToken": token}, role="node", scopes=[]
        )
        assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"


async def test_another_devices_token_is_worth_nothing() -> None:
    async with gateway_rig() as rig:
        token = (await paired(rig, Key())).auth["deviceToken"]
        error, _ = await refused_device(rig, Key(), auth={"deviceToken": token})
        assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"


@pytest.mark.parametrize("protocol", [3, 4])
async def test_a_device_from_elsewhere_waits_for_an_operator(protocol: int) -> None:
    async with gateway_rig(**PROXIED) as rig:
        heard: list[Event] = []
        operator = await rig.client(max_protocol=4, on_event=heard.append)
        key = Key()
        error, closed = await refused_device(rig, key, protocol, headers=FAR)
        details = error.pop("details")
        assert error == {
            "code": "NOT_PAIRED",
            "message": "pairing required: device is not approved yet",
        }
        assert (details["code"], details["reason"]) == ("PAIRING_REQUIRED", "not-paired")
        request = details["requestId"]
        assert closed == f"{error['message']} (requestId: {request})"
        again, _ = await refused_device(rig, key, protocol, headers=FAR)
        assert again["details"]["requestId"] == request
        listed = await operator.call("device.pair.list")
        assert [each["requestId"] for each in listed["pending"]] == [request]
        assert listed["pending"][0]["remoteIp"] == "203.0.113.9"
        approved = await operator.call("device.pair.approve", {"requestId": request})
        assert approved["device"]["deviceId"] == key.id
        assert (await paired(rig, key, protocol, headers=FAR)).auth["deviceToken"]
        seen = [each.event for each in heard if each.event.startswith("device.pair")]
        assert seen == ["device.pair.requested", "device.pair.resolved"]


@pytest.mark.parametrize(
    ("later", "waits"), [(299_999, True), (300_000, False), (-299_999, True), (-300_000, False)]
)
def test_a_request_waits_for_five_minutes_also_if_the_clock_is_set_back(
    tmp_path: Path, later: int, waits: bool
) -> None:
    devices = Devices(Registry(tmp_path / "devices.json"))
    params = Key().params({"payload": {"ts": 10**12, "nonce": "n"}})
    request, _ = devices.request(msgspec.convert(params, Connect), SCOPES, "", 10**12)
    found = devices.find_request(request.request_id, 10**12 + later)
    assert found == (request if waits else None)


async def test_a_rejected_device_may_ask_again() -> None:
    async with gateway_rig(**PROXIED) as rig:
        operator, key = await rig.client(), Key()
        error, _ = await refused_device(rig, key, headers=FAR)
        request = error["details"]["requestId"]
        answer = await operator.call("device.pair.reject", {"requestId": request})
        assert answer == {"requestId": request, "deviceId": key.id}
        with pytest.raises(RemoteError, match="unknown requestId"):
            await operator.call("device.pair.approve", {"requestId": request})
        again, _ = await refused_device(rig, key, headers=FAR)
        assert again["details"]["requestId"] != request


async def test_more_scopes_or_another_role_need_another_approval() -> None:
    async with gateway_rig(**PROXIED) as rig:
        operator, key = await rig.client(), Key()
        await paired(rig, key, scopes=["operator.read"])  # silently, on this host
        error, _ = await refused_device(rig, key, headers=FAR, scopes=["operator.write"])
        assert error["details"]["reason"] == "scope-upgrade"
        assert error["details"]["approvedScopes"] == ["operator.read"]
        error, _ = await refused_device(rig, key, headers=FAR, role="node", scopes=[])
        assert error["details"]["reason"] == "role-upgrade"
        await operator.call("device.pair.approve", {"requestId": error["details"]["requestId"]})
        assert await node(rig, key, headers=FAR)


async def test_our_own_client_gets_a_token_and_comes_back_with_it(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path / "gateway") as rig:
        (tmp_path / "gateway").mkdir()
        identity = Identity.load(tmp_path / "identity.json")
        first = await rig.client(identity=identity)
        assert first.hello["auth"]["method"] == "token"
        identity = Identity.load(tmp_path / "identity.json")
        again = await rig.client(token=None, identity=identity)
        assert again.hello["auth"]["method"] == "device-token"
        wrong = await rig.client(token="wrong", identity=identity)
        assert wrong.hello["auth"]["method"] == "device-token"
        await first.call("device.token.revoke", {"deviceId": identity.id, "role": "operator"})
        await until(lambda: first.closed.done())
        with pytest.raises(RemoteError, match="device token mismatch"):
            await rig.client(token=None, identity=identity)
        assert identity.token(rig.url, "operator") is None


async def test_frames_behind_a_device_connect_wait_for_its_hello() -> None:
    async with gateway_rig() as rig:
        client = await challenged(rig)
        connect = {"type": "req", "id": "0", "method": "connect"}
        await client.send(connect | {"params": Key().params(client.challenge)})
        for number in range(1, 6):
            await client.send({"type": "req", "id": str(number), "method": "health"})
        assert [(await client.response())["id"] for _ in range(6)] == [str(n) for n in range(6)]


async def test_the_token_of_our_supervisor_needs_no_device() -> None:
    async with gateway_rig(auth={"mode": "none"}) as rig:
        assert rig.supervisor is not None
        assert rig.supervisor.hello["auth"]["role"] == "supervisor"

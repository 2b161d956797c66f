"""``device.*``: approval, rotation, revocation, removal, names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from tests.support.devices import Key, paired, refused_device
from tests.support.gateway_rig import gateway_rig

FAR = {"x-forwarded-for": "203.0.113.9"}


PROXIED: dict[str, Any] = {"trustedProxies": ["127.0.0.1"]}


async def test_nobody_approves_more_than_he_may_himself() -> None:
    async with gateway_rig(**PROXIED) as rig:
        error, _ = await refused_device(rig, Key(), headers=FAR, scopes=["operator.admin"])
        request = {"requestId": error["details"]["requestId"]}
        lesser = await rig.client(scopes=["operator.pairing"])
        with pytest.raises(RemoteError, match=r"missing scope: operator\.admin"):
            await lesser.call("device.pair.approve", request)
        with pytest.raises(RemoteError, match="FORBIDDEN"):
            await (await rig.client(scopes=["operator.read"])).call("device.pair.list")


async def test_a_revoked_token_ends_its_connections() -> None:
    async with gateway_rig() as rig:
        operator, key = await rig.client(), Key()
        client = await paired(rig, key)
        token = client.auth["deviceToken"]
        params = {"deviceId": key.id, "role": "operator"}
        answer = await operator.call("device.token.revoke", params)
        assert answer.keys() == {"deviceId", "role", "revokedAtMs"}
        assert await client.closed() == (4001, "client invalidated: device-token-revoked")
        error, _ = await refused_device(rig, key, auth={"deviceToken": token})
        assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"
        (row,) = (await operator.call("device.pair.list"))["paired"]
        assert row["tokens"][0]["revokedAtMs"] == answer["revokedAtMs"]
        assert "hashes" not in row["tokens"][0]
        assert row["connected"] is False


@pytest.mark.parametrize("protocol", [3, 4])
async def test_only_the_device_itself_gets_a_rotated_token(protocol: int) -> None:
    async with gateway_rig() as rig:
        key, params = Key(), {"role": "operator"}
        client = await paired(rig, key, protocol)
        old = client.auth["deviceToken"]
        own = (await client.call("device.token.rotate", params | {"deviceId": key.id}))["payload"]
        assert own["token"] != old
        assert own.get("tokenDelivery") == ("in-band" if protocol == 4 else None)
        assert (await client.closed())[0] == 4001
        assert (await paired(rig, key, auth={"token": own["token"]})).auth
        await refused_device(rig, key, auth={"token": old})
        operator = await rig.client()
        other = await operator.call("device.token.rotate", params | {"deviceId": key.id})
        assert "token" not in other
        assert other["tokenDelivery"] == "withheld-cross-device"


async def test_a_token_is_not_rotated_to_a_scope_that_does_not_exist() -> None:
    async with gateway_rig() as rig:
        key = Key()
        client = await paired(rig, key, scopes=["operator.admin"])
        asked = {"deviceId": key.id, "role": "operator", "scopes": ["operator.read", "bogus"]}
        answer = await client.call("device.token.rotate", asked)
        assert answer["error"] == {"code": "INVALID_REQUEST", "message": "unknown scope: bogus"}
        assert await paired(rig, key, auth={"token": client.auth["deviceToken"]})


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("device.token.rotate", {"role": "operator"}, "device token rotation denied"),
        ("device.token.revoke", {"role": "operator"}, "device token revocation denied"),
        ("device.pair.remove", {}, "device pairing removal denied"),
    ],
)
async def test_a_device_manages_nobody_but_itself(
    method: str, params: dict[str, Any], message: str
) -> None:
    async with gateway_rig() as rig:
        other = Key()
        await paired(rig, other)
        lesser = await paired(rig, Key(), scopes=["operator.pairing"])
        answer = await lesser.call(method, params | {"deviceId": other.id})
        assert answer["error"] == {"code": "INVALID_REQUEST", "message": message}
        listed = (await lesser.call("device.pair.list"))["payload"]
        assert len(listed["paired"]) == 1


async def test_a_removed_device_is_a_stranger() -> None:
    async with gateway_rig(**PROXIED) as rig:
        operator, key = await rig.client(), Key()
        client = await paired(rig, key)
        assert await operator.call("device.pair.remove", {"deviceId": key.id}) == {
            "deviceId": key.id
        }
        assert (await client.closed())[0] == 4001
        error, _ = await refused_device(rig, key, headers=FAR)
        assert error["details"]["reason"] == "not-paired"
        with pytest.raises(RemoteError, match="unknown deviceId"):
            await operator.call("device.pair.remove", {"deviceId": key.id})


async def test_a_device_gets_a_name_from_people(tmp_path: Path) -> None:
    key = Key()
    async with gateway_rig(**PROXIED, state_dir=tmp_path) as rig:
        operator = await rig.client()
        await paired(rig, key)
        named = {"deviceId": key.id, "label": "the phone"}
        given = named | {"label": "  the phone "}
        assert await operator.call("device.pair.rename", given) == named
        with pytest.raises(RemoteError, match="label required"):
            await operator.call("device.pair.rename", named | {"label": " "})
        with pytest.raises(RemoteError, match="unknown deviceId"):
            await operator.call("device.pair.rename", named | {"deviceId": "nobody"})
        stranger = await paired(rig, Key(), scopes=["operator.pairing"])
        refusal = (await stranger.call("device.pair.rename", named))["error"]
        assert refusal["message"] == "device pairing rename denied"
    async with gateway_rig(**PROXIED, state_dir=tmp_path) as rig:
        listed = await (await rig.client()).call("device.pair.list")
        names = {each["deviceId"]: each.get("operatorLabel") for each in listed["paired"]}
        assert names[key.id] == "the phone"

"""The hello of both protocols."""

from __future__ import annotations

from typing import Any

from tests.support.gateway_rig import TOKEN, GatewayRig, gateway_rig
from tests.support.rawclient import SCOPES, RawClient, connect_params


async def raw(rig: GatewayRig, **more: Any) -> RawClient:
    client = await RawClient.open(rig.url, **more)
    rig.opened.append(client)
    return client


async def test_hello_of_protocol_4() -> None:
    async with gateway_rig() as rig:
        hello = await (await raw(rig)).hello(TOKEN)
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
    async with gateway_rig() as rig:
        hello = await (await raw(rig)).hello(TOKEN, 3)
        assert hello["protocol"] == 3
        assert hello["server"].keys() == {"version", "connId"}
        assert "auth" not in hello
        assert "capabilities" not in hello["features"]
        assert "suspension" not in hello["snapshot"]
        assert hello["snapshot"]["presence"][0]["reason"] == "self"


UI = {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "ui"}


async def connect(
    rig: GatewayRig, auth: dict[str, str] | None = None, protocol: int = 4, **more: Any
) -> Any:
    headers = more.pop("headers", None)
    client = await RawClient.open(rig.url, additional_headers=headers)
    rig.opened.append(client)
    params = connect_params(None, protocol, **more)
    return await client.call("connect", params | ({"auth": auth} if auth is not None else {}))


async def test_a_client_without_scopes_sees_nobody_in_its_hello() -> None:
    async with gateway_rig() as rig:
        for protocol, shown in ((4, False), (3, True)):
            answer = await connect(rig, {"token": TOKEN}, protocol, client=UI)
            assert bool(answer["payload"]["snapshot"]["presence"]) is shown

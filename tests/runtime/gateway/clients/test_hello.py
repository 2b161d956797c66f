"""The hello of both protocols."""

from __future__ import annotations

from tests.support.gateway_rig import TOKEN, gateway_rig
from tests.support.handshakes import challenged, connect
from tests.support.rawclient import SCOPES


async def test_hello_of_protocol_4() -> None:
    async with gateway_rig() as rig:
        hello = await (await challenged(rig)).hello(TOKEN)
        assert hello["protocol"] == 4
        assert hello["server"].keys() == {"version", "connId", "bootId", "buildId"}
        assert hello["auth"] == {"method": "token", "role": "operator", "scopes": SCOPES}
        assert hello["snapshot"]["suspension"] == {"phase": "accepting"}
        assert hello["snapshot"]["configPath"] == "/state/trunkline.json5"
        assert hello["policy"]["maxPayload"] == 26_214_400
        assert hello["policy"]["tickIntervalMs"] == 30_000
        assert hello["policy"]["attachments"] == {"maxBytes": 393_216, "maxImageBytes": 393_216}
        assert hello["features"]["capabilities"] == []
        assert "channels.report" not in hello["features"]["methods"]
        assert {"health", "send", "channels.stop"} <= set(hello["features"]["methods"])


async def test_hello_of_protocol_3() -> None:
    async with gateway_rig() as rig:
        hello = await (await challenged(rig)).hello(TOKEN, 3)
        assert hello["protocol"] == 3
        assert hello["server"].keys() == {"version", "connId"}
        assert "auth" not in hello
        assert "capabilities" not in hello["features"]
        assert "suspension" not in hello["snapshot"]
        assert hello["snapshot"]["presence"][0]["reason"] == "self"


UI = {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "ui"}


async def test_a_client_without_scopes_sees_nobody_in_its_hello() -> None:
    async with gateway_rig() as rig:
        for protocol, shown in ((4, False), (3, True)):
            answer = await connect(rig, {"token": TOKEN}, protocol, client=UI)
            assert bool(answer["payload"]["snapshot"]["presence"]) is shown

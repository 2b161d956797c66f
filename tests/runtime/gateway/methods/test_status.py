"""``health``, ``status``, ``last-heartbeat`` and identity, over real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ipc.identity.device import Identity
from tests.support.gateway_rig import gateway_rig, row
from tests.support.handshakes import greeted


@pytest.mark.parametrize("params", [None, {"x": 1}, [1], "junk"])
async def test_health_and_status_take_any_params(params: Any) -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        assert (await client.call("health", params))["payload"]["ok"] is True
        assert (await client.call("status", params))["payload"]["runtimeVersion"] == "0.0.test"


async def test_last_heartbeat_is_null_and_present() -> None:
    async with gateway_rig() as rig:
        answer = await (await greeted(rig)).call("last-heartbeat", {})
        assert answer == {"type": "res", "id": "1", "ok": True, "payload": None}


KEY = "irc:libera"


async def test_health_tells_who_is_linked_and_how_long() -> None:
    plugin = {"linked": True, "authenticatedAt": 1_000}
    async with gateway_rig(row(KEY, plugin=plugin)) as rig:
        client = await rig.client()
        shot = (await client.call("health"))["channels"]["irc"]["accounts"]["libera"]
        assert shot["linked"] is True
        assert shot["authAgeMs"] > 1_000_000


async def test_the_gateway_has_an_identity_too(tmp_path: Path) -> None:
    for _ in range(2):
        async with gateway_rig(state_dir=tmp_path) as rig:
            client = await rig.client()
            answer = await client.call("gateway.identity.get")
            identity = Identity.load(tmp_path / "identity.json")
            assert answer == {"deviceId": identity.id, "publicKey": identity.public_key}

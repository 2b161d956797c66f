"""Recent faults behind ``diagnostics.stability``."""

from __future__ import annotations

from typing import Any

from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.rawclient import RawClient, connect_params


async def connect(
    rig: GatewayRig, auth: dict[str, str] | None = None, protocol: int = 4, **more: Any
) -> Any:
    headers = more.pop("headers", None)
    client = await RawClient.open(rig.url, additional_headers=headers)
    rig.opened.append(client)
    params = connect_params(None, protocol, **more)
    return await client.call("connect", params | ({"auth": auth} if auth is not None else {}))


async def test_what_went_wrong_lately_is_told() -> None:
    async with gateway_rig() as rig:
        for _ in range(3):
            await connect(rig)
        client = await rig.client()
        answer = await client.call("diagnostics.stability", {"limit": 2})
        assert answer["count"] == 3
        assert [event["seq"] for event in answer["events"]] == [2, 3]
        assert answer["summary"] == {"byType": {"client.refused": 3}}
        assert answer["events"][0]["reason"] == "DEVICE_IDENTITY_REQUIRED"
        assert (await client.call("diagnostics.stability", {"sinceSeq": 3}))["count"] == 0
        assert (await client.call("diagnostics.stability", {"type": "x"}))["count"] == 0

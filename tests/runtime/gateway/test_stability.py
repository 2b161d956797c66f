"""Recent faults behind ``diagnostics.stability``."""

from __future__ import annotations

from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import connect


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

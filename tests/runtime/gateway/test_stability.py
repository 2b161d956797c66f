"""Recent faults behind ``diagnostics.stability``."""

from __future__ import annotations

from typing import Any

from tests.support.house import House, house
from tests.support.rawclient import RawClient, connect_params


async def connect(
    home: House, auth: dict[str, str] | None = None, protocol: int = 4, **more: Any
) -> Any:
    headers = more.pop("headers", None)
    client = await RawClient.open(home.url, additional_headers=headers)
    home.opened.append(client)
    params = connect_params(None, protocol, **more)
    return await client.call("connect", params | ({"auth": auth} if auth is not None else {}))


async def test_what_went_wrong_lately_is_told() -> None:
    async with house() as home:
        for _ in range(3):
            await connect(home)
        client = await home.client()
        answer = await client.call("diagnostics.stability", {"limit": 2})
        assert answer["count"] == 3
        assert [event["seq"] for event in answer["events"]] == [2, 3]
        assert answer["summary"] == {"byType": {"client.refused": 3}}
        assert answer["events"][0]["reason"] == "DEVICE_IDENTITY_REQUIRED"
        assert (await client.call("diagnostics.stability", {"sinceSeq": 3}))["count"] == 0
        assert (await client.call("diagnostics.stability", {"type": "x"}))["count"] == 0

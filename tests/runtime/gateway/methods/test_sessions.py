"""Sessions are listed and read, over real sockets, against what was recorded of OpenClaw."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway_rig import gateway_rig
from tests.support.rig_agent import echo_agent
from tests.support.session_calls import KEY, refused, talked


async def test_sessions_are_listed_found_and_shown() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await rig.client()
        await talked(client)
        await talked(client, "other")
        page = await client.call("sessions.list", {"limit": 1, "includeDerivedTitles": True})
        assert (page["count"], page["totalCount"], page["nextOffset"]) == (1, 2, 1)
        assert page["sessions"][0]["derivedTitle"] == "hello you"
        assert page["defaults"]["agentRuntime"] == {"id": "echo"}
        found = await client.call("sessions.list", {"search": "web1", "includeLastMessage": True})
        (row,) = found["sessions"]
        assert (row["key"], row["lastMessagePreview"]) == (KEY, "echo: hello you")
        resolved = {"ok": True, "key": KEY, "agentId": "echo"}
        for params in ({"key": "web1"}, {"sessionId": row["sessionId"]}):
            assert await client.call("sessions.resolve", params) == resolved
        shown = await client.call("sessions.describe", {"key": KEY})
        assert shown["session"]["sessionId"] == row["sessionId"]
        messages = (await client.call("sessions.get", {"key": KEY}))["messages"]
        assert [each["role"] for each in messages] == ["user", "assistant"]
        preview = await client.call("sessions.preview", {"keys": [KEY, "none"]})
        assert [each["status"] for each in preview["previews"]] == ["ok", "missing"]
        assert preview["previews"][0]["items"][0] == {"role": "user", "text": "hello you"}


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("sessions.resolve", {}, "Either key, sessionId, label"),
        ("sessions.resolve", {"key": "x"}, "No session found: x"),
        ("sessions.resolve", {"label": "x"}, "No session found with label: x"),
        ("sessions.delete", {"key": "main"}, "Cannot delete the main session (agent:echo:main)."),
        ("sessions.patch", {"key": "agent:nobody:x"}, "no longer exists in configuration"),
        ("sessions.patch", {"key": "x", "thinkingLevel": "most"}, "thinkingLevel"),
        ("sessions.list", {"bogus": 1}, "unexpected property 'bogus'"),
        ("sessions.list", {"offset": 1 << 63}, "offset"),
        ("sessions.list", {"activeMinutes": 1 << 53}, "activeMinutes"),
    ],
)
async def test_what_cannot_be_done_is_refused(method: str, params: Any, said: str) -> None:
    async with gateway_rig(agents="echo") as rig:
        assert said in await refused(await rig.client(), method, params)

"""The transcript of a session by HTTP, page by page, in the shape that was recorded."""

from __future__ import annotations

import pytest

from runtime.gateway.http.session_history import key_in_path
from tests.support.http_api import CHAT, RIGHT, http_rig, said
from tests.support.rig_agent import echo_agent


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/sessions/agent%3Amain%3Amain/history", "agent:main:main"),
        ("/sessions/agent:main:main/history", "agent:main:main"),
        ("/sessions/main/history", "main"),
        ("/sessions//history", ""),
        ("/sessions/history", ""),
        ("/sessions/main/kill", ""),
        ("/sessions/a%2Fb/history", "a/b"),
        ("/sessions/../history", ".."),
    ],
)
def test_the_key_in_a_path(path: str, key: str) -> None:
    assert key_in_path(path) == key


async def test_pages_go_back_to_the_beginning() -> None:
    async with http_rig() as client:
        await echo_agent(client.rig)
        key = {"x-openclaw-session-key": "agent:echo:http1"}
        for text in ("one", "two"):
            await client.ask(CHAT, said(text), headers=RIGHT | key)
        path = "/sessions/agent%3Aecho%3Ahttp1/history"
        _, page, _ = await client.ask(path)
        rows = page["messages"]
        assert [each["role"] for each in rows] == ["user", "assistant"] * 2
        assert page == {
            "sessionKey": "agent:echo:http1",
            "items": rows,
            "messages": rows,
            "hasMore": False,
        }
        found, cursor = [], ""
        for _ in range(4):
            _, page, _ = await client.ask(f"{path}?limit=1{cursor}")
            found += page["items"]
            cursor = f"&cursor={page.get('nextCursor')}"
        assert found[::-1] == rows
        assert page["hasMore"] is False
        _, page, _ = await client.ask("/sessions/agent:echo:none/history?limit=1")
        assert page == {
            "sessionKey": "agent:echo:none",
            "items": [],
            "messages": [],
            "hasMore": False,
        }
        for wrong in ("limit=0", "limit=x", "cursor=-1", "cursor=99999999999"):
            assert (await client.ask(f"{path}?{wrong}"))[0] == 400
        assert (await client.ask("/sessions/a%20b/history"))[0] == 400
        assert (await client.ask(path, headers={}))[0] == 401

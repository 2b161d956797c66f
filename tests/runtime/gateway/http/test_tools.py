"""``/tools/invoke`` over real sockets: what can be carried out, and what a dry run does not do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tests.support.account_calls import calls_of, can
from tests.support.http_api import CHAT, RIGHT, HttpClient, http_rig, said
from tests.support.rig_agent import echo_agent

TOOLS = "/tools/invoke"


@asynccontextmanager
async def tools_rig(**more: Any) -> AsyncIterator[HttpClient]:
    """Run a gateway for tools, and a client that is told all they do: its frames are checked."""
    async with http_rig(**more) as client:
        follower = await client.rig.client()
        await follower.call("sessions.subscribe")
        yield client


async def details(client: HttpClient, tool: str, **args: Any) -> Any:
    """Return the details of a tool's answer, which are its text as well."""
    status, body, _ = await client.ask(TOOLS, {"tool": tool, "args": args})
    assert status == 200, body
    result = body["result"]
    assert msgspec.json.decode(result["content"][0]["text"]) == result["details"]
    return result["details"]


async def test_sessions_and_agents() -> None:
    async with tools_rig(tools={"allow": ["nodes"]}) as client:
        await echo_agent(client.rig)
        key = "agent:echo:http1"
        await client.ask(CHAT, said("hi"), headers=RIGHT | {"x-openclaw-session-key": key})
        listed = await details(client, "sessions_list", limit=1)
        assert (listed["count"], listed["sessions"][0]["key"]) == (1, key)
        assert (listed["limitApplied"], listed["hasMore"]) == (1, False)
        said_there = await details(client, "sessions_history", sessionKey=key, limit=5)
        assert [each["role"] for each in said_there["messages"]] == ["user", "assistant"]
        status = await details(client, "session_status", sessionKey=key)
        assert (status["sessionKey"], status["session"]["messageCount"]) == (key, 2)
        agents = await details(client, "agents_list")
        assert [each["id"] for each in agents["agents"]] == ["echo"]
        assert (await details(client, "nodes", action="list"))["nodes"] == []
        for tool, args, words in (
            ("sessions_history", {}, "sessionKey required"),
            ("session_status", {"sessionKey": "agent:echo:none"}, "Unknown sessionKey"),
            ("sessions_list", {"limit": 0}, "invalid sessions.list params"),
            ("nodes", {"action": "reboot"}, "action must be"),
        ):
            code, body, _ = await client.ask(TOOLS, {"tool": tool, "args": args})
            assert (code, body["error"]["type"]) == (400, "tool_error")
            assert words in body["error"]["message"]


async def test_a_message_is_sent_under_its_key_and_not_at_all_by_a_dry_run() -> None:
    async with tools_rig(tools={"deny": ["agents_list"]}) as client:
        can(client.rig, "send")
        calls = await calls_of(client.rig)
        message = {"action": "send", "channel": "irc", "target": "#x", "message": "via tools"}
        body = {"tool": "message", "args": message, "sessionKey": "agent:echo:main"}
        status, dry, _ = await client.ask(TOOLS, body | {"dryRun": True})
        assert (status, dry["dryRun"], calls) == (200, True, [])
        once = RIGHT | {"Idempotency-Key": "k1"}
        for _ in range(2):
            status, found, _ = await client.ask(TOOLS, body, headers=once)
            assert (status, found["ok"]) == (200, True)
            assert found["result"]["details"]["messageId"].startswith("m-")
        assert [each[1]["key"] for each in calls] == ["k1", "k1"]
        assert calls[0][1] == {"to": "#x", "text": "via tools", "key": "k1"}
        for tool in ("nope", "exec", "cron", "nodes", "agents_list"):
            status, found, _ = await client.ask(TOOLS, {"tool": tool})
            assert (status, found["error"]["type"]) == (404, "not_found")
        status, found, _ = await client.ask(TOOLS, {"tool": "message", "args": {"to": "#x"}})
        assert (status, found["error"]["type"]) == (400, "tool_error")
        status, found, _ = await client.ask(TOOLS, b"{")
        assert (status, found["ok"]) == (400, False)

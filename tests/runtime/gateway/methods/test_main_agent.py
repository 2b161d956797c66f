"""``main`` means the default agent wherever a request names an agent, and sessions keep theirs."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.websocket.client import Client
from runtime.gateway.accounts.agent_entries import AgentEntry
from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.http_api import CHAT, http_rig, said
from tests.support.rig_agent import echo_agent, held_agent
from tests.support.until import until

JOB: dict[str, Any] = {
    "name": "hourly",
    "schedule": {"kind": "every", "everyMs": 3_600_000},
    "sessionTarget": "isolated",
    "wakeMode": "now",
    "payload": {"kind": "agentTurn", "message": "report"},
    "delivery": {"mode": "none"},
}
CHANGING = ("ts", "updatedAt", "id", "runId", "sessionId", "createdAtMs", "updatedAtMs", "agentId")


def steady(value: Any) -> Any:
    """Return an answer without what differs from one call to the next."""
    if isinstance(value, dict):
        return {name: steady(each) for name, each in value.items() if name not in CHANGING}
    return [steady(each) for each in value] if isinstance(value, list) else value


async def talked(rig: GatewayRig) -> Client:
    """Return a client that has said something in the main session of the agent."""
    await echo_agent(rig)
    client = await rig.client()
    say = {"sessionKey": "main", "message": "hello", "idempotencyKey": "k", "agentId": "main"}
    run = (await client.call("chat.send", say))["runId"]
    assert (await client.call("agent.wait", {"runId": run}))["status"] == "ok"
    await client.call("sessions.patch", {"key": "main", "label": "mine"})
    await client.call("cron.add", JOB)
    return client


@pytest.mark.parametrize(
    ("method", "params", "rows"),
    [
        ("sessions.list", {}, "sessions"),
        ("sessions.resolve", {"label": "mine"}, "key"),
        ("sessions.describe", {"key": "main"}, "session"),
        ("sessions.get", {"key": "main"}, "messages"),
        ("sessions.search", {"query": "hello"}, "results"),
        ("sessions.usage", {}, "sessions"),
        ("chat.history", {"sessionKey": "main"}, "messages"),
        ("cron.list", {}, "jobs"),
        ("models.list", {}, "models"),
        ("tools.catalog", {}, None),
        ("agent.identity.get", {}, "name"),
        ("wake", {"mode": "next-heartbeat", "text": "x"}, "ok"),
    ],
)
async def test_main_in_a_filter_or_field_is_the_default_agent(
    method: str, params: dict[str, Any], rows: str | None
) -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await talked(rig)
        found = await client.call(method, params | {"agentId": "main"})
        assert rows is None or found[rows]
        assert steady(found) == steady(await client.call(method, params | {"agentId": "echo"}))


async def test_a_job_or_an_event_for_main_is_one_for_the_default_agent() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        job = await client.call("cron.add", JOB | {"agentId": "main"})
        (listed,) = (await client.call("cron.list", {"agentId": "echo"}))["jobs"]
        assert (listed["id"], listed["effectiveAgentId"]) == (job["id"], "echo")
        await client.call("cron.run", {"id": job["id"]})
        await until(lambda: agent.asked)
        assert agent.asked[0]["session"].startswith(f"agent:echo:cron:{job['id']}:run:")


async def test_http_requests_for_main_are_answered_by_the_default_agent() -> None:
    hooks = {"enabled": True, "token": "s", "allowedAgentIds": ["main"]}
    async with http_rig() as http:
        await echo_agent(http.rig)
        await http.rig.report(hooks=hooks)
        for model in ("openclaw/main", "agent:main"):
            status, body, _ = await http.ask(CHAT, said("hi") | {"model": model})
            assert (status, body["choices"][0]["message"]["content"]) == (200, "echo: hi")
        assert (await http.ask("/v1/models/openclaw/main"))[0] == 200
        tool = {"tool": "session_status", "agentId": "main", "sessionKey": "main", "dryRun": True}
        assert (await http.ask("/tools/invoke", tool))[0] == 200
        right = {"Authorization": "Bearer s"}
        turn = {"message": "x", "agentId": "main", "deliver": False, "waitForCompletion": True}
        status, body, _ = await http.ask("/hooks/agent", turn, headers=right)
        assert (status, body["completion"]["status"]) == (200, "ok")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("wake", {"mode": "now", "text": "x", "sessionKey": "agent:ops:main"}),
        ("cron.add", JOB | {"sessionTarget": "session:agent:ops:x"}),
        ("cron.add", JOB | {"sessionTarget": "current", "sessionKey": "agent:ops:x"}),
    ],
)
async def test_the_session_of_an_agent_is_answered_by_no_other_one(
    method: str, params: dict[str, Any]
) -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        rig.parts.agents.listed.entries["ops"] = AgentEntry("echo")
        made = await client.call(method, params)
        if method == "cron.add":
            (listed,) = (await client.call("cron.list", {"agentId": "ops"}))["jobs"]
            assert listed["id"] == made["id"]
            await client.call("cron.run", {"id": made["id"]})
        session = params.get("sessionKey", "agent:ops:x")
        await until(lambda: rig.parts.runs.of_session(session))
        assert {each.run.agent for each in rig.parts.runs.of_session(session)} == {"ops"}
        assert not agent.asked


async def test_a_session_of_another_agent_or_of_none_is_refused() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await rig.client()
        rig.parts.agents.listed.entries["ops"] = AgentEntry("echo")
        job = await client.call("cron.add", JOB)
        wake = {"mode": "now", "text": "x"}
        of_ops = JOB | {"sessionTarget": "session:agent:ops:x"}
        for method, params, words in (
            ("wake", wake | {"sessionKey": "agent:ops:x", "agentId": "echo"}, "belongs to"),
            ("cron.add", of_ops | {"agentId": "echo"}, "belongs to"),
            ("cron.add", JOB | {"sessionTarget": "session:agent:none:x"}, "no longer exists"),
            ("cron.add", JOB | {"sessionTarget": "session:a b"}, "white space"),
        ):
            with pytest.raises(RemoteError, match=words):
                await client.call(method, params)
        patch = {"id": job["id"], "patch": {"sessionTarget": "session:agent:none:x"}}
        with pytest.raises(RemoteError, match="no longer exists"):
            await client.call("cron.update", patch)


@pytest.mark.parametrize("path", ["wake", "agent"])
async def test_a_hook_reaches_no_agent_by_a_session_that_it_may_not_name(path: str) -> None:
    hooks = {
        "enabled": True,
        "token": "s",
        "allowedAgentIds": ["echo"],
        "allowRequestSessionKey": True,
        "allowedSessionKeyPrefixes": ["agent:"],
    }
    async with http_rig() as http:
        await echo_agent(http.rig)
        http.rig.parts.agents.listed.entries["ops"] = AgentEntry("echo")
        await http.rig.report(hooks=hooks)
        right = {"Authorization": "Bearer s"}
        body = {"text": "x", "message": "x", "deliver": False}
        for key, status in (("agent:ops:main", 400), ("agent:no:x", 400), ("agent:echo:x", 200)):
            found = await http.ask(f"/hooks/{path}", body | {"sessionKey": key}, headers=right)
            assert found[0] == status, found[1]

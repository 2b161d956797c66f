"""``agents.list`` and ``agent.identity.get``, over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway_rig import gateway_rig, row

LISTED = {
    "default": "main",
    "entries": {
        "main": {"kind": "openai", "name": "molly", "timeoutSeconds": 60.0},
        "ops": {"kind": "echo"},
    },
}


async def test_the_echo_agent_is_listed_where_there_is_no_other() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await rig.client()
        answer = await client.call("agents.list", {})
        assert (answer["defaultId"], answer["mainKey"]) == ("echo", "main")
        (only,) = answer["agents"]
        assert (only["id"], only["name"], only["kind"]) == ("echo", "echo", "echo")
        assert "phase" not in only


async def test_an_agent_with_a_process_has_its_phase_and_cause() -> None:
    agent = row("agent:ops", phase="stopped", cause="held", incarnation=7)
    async with gateway_rig(agent) as rig:
        rig.parts.agents.configure(LISTED)
        client = await rig.client()
        answer = await client.call("agents.list", {})
        assert answer["defaultId"] == "main"
        main, ops = answer["agents"]
        assert (main["name"], main["agentRuntime"]["id"]) == ("molly", "openai")
        assert (ops["phase"], ops["cause"], ops["incarnation"]) == ("stopped", "held", 7)
        status = await client.call("status")
        assert status["accounts"] == []
        health = await client.call("health")
        assert health["channels"] == {"irc": {"accounts": {}}}


NAMELESS = {"name": "Assistant", "nameSource": "default", "avatar": "A"}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, {"agentId": "main", "name": "molly", "nameSource": "agent", "avatar": "M"}),
        ({"agentId": "ops"}, {"agentId": "ops"} | NAMELESS),
        ({"sessionKey": "agent:ops:irc:libera"}, {"agentId": "ops"} | NAMELESS),
        ({"agentId": "nobody"}, {"agentId": "nobody"} | NAMELESS),
        ({"sessionKey": "global"}, {"agentId": "main", "name": "molly"}),
    ],
)
async def test_an_identity_is_never_an_error(params: Any, said: Any) -> None:
    async with gateway_rig() as rig:
        rig.parts.agents.configure(LISTED)
        client = await rig.client()
        answer = await client.call("agent.identity.get", params)
        assert answer | said == answer


async def test_main_is_the_default_agent_whatever_its_id() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await rig.client()
        for params in ({}, {"agentId": "main"}, {"sessionKey": "agent:main:main"}):
            answer = await client.call("agent.identity.get", params)
            assert answer["agentId"] == "echo"
        assert (await client.call("health"))["defaultAgentId"] == "echo"
        assert (await client.call("status"))["heartbeat"]["defaultAgentId"] == "echo"

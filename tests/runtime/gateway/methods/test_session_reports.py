"""``sessions.search`` and ``sessions.usage``, over real sockets."""

from __future__ import annotations

from typing import Any

from ipc.websocket.client import Client
from tests.support.gateway_rig import gateway_rig
from tests.support.rig_agent import echo_agent, held_agent
from tests.support.until import until
from workers.agent import Final, TurnOutcome, Usage


async def said(client: Client, key: str, text: str) -> Any:
    say = {"sessionKey": key, "message": text, "idempotencyKey": f"{key} {text}"}
    return (await client.call("chat.send", say))["runId"]


async def test_words_are_found_in_the_sessions_that_are_meant() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await rig.client()
        for key in ("one", "two"):
            run = await said(client, key, "lunch at noon")
            await client.call("agent.wait", {"runId": run})

        async def found(**params: Any) -> list[Any]:
            answer = await client.call("sessions.search", {"query": "LUN"} | params)
            return [(each["sessionKey"], each["role"]) for each in answer["results"]]

        one, two = "agent:echo:one", "agent:echo:two"
        whole = [(two, "assistant"), (two, "user"), (one, "assistant"), (one, "user")]
        assert await found() == whole
        assert await found(sessionKeys=["one"], limit=1) == [(one, "assistant")]
        assert await found(resultMode="sessions") == [(two, "assistant"), (one, "assistant")]
        assert await found(agentId="other") == []


async def test_tokens_are_counted_and_what_is_not_kept_is_named() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        run = await said(client, "one", "hi")
        await until(lambda: agent.turns)
        agent.ends(TurnOutcome("final", Final("yes", usage=Usage(input=7, output=2))))
        await client.call("agent.wait", {"runId": run})
        report = await client.call("sessions.usage", {"key": "one", "startDate": "2026-01-01"})
        assert report["totals"]["totalTokens"] == 9
        assert report["ignored"] == ["startDate"]
        whole = await client.call("sessions.usage", {})
        assert [each["key"] for each in whole["sessions"]] == ["agent:echo:one"]
        assert "ignored" not in whole
        assert (await client.call("sessions.usage", {"key": "none"}))["sessions"] == []

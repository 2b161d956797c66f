"""``chat.history`` and its kin, over real sockets, against what was recorded of OpenClaw."""

from __future__ import annotations

from tests.support.gateway_rig import gateway_rig
from tests.support.rig_agent import held_agent
from tests.support.until import until
from workers.agent import Delta

KEY = "agent:echo:web1"


async def test_a_client_that_begins_sees_what_was_said_and_what_runs() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        say = {"sessionKey": KEY, "message": "hi", "idempotencyKey": "c1"}
        await client.call("chat.send", say)
        await until(lambda: agent.turns)
        agent.yields(Delta("[[reply_to_current]] hello"))
        live = rig.parts.runs.live("c1")
        assert live is not None
        await until(lambda: live.partial.text)
        begun = await client.call("chat.startup", {"sessionKey": KEY, "limit": 1})
        assert begun["inFlightRun"]["runId"] == "c1"
        assert begun["inFlightRun"]["text"] == "hello"
        assert begun["inFlightRun"]["startedAt"] == live.run.started
        assert (begun["messages"], begun["pendingInputs"]["total"]) == ([], 0)
        agent.answers("[[reply_to_current]] hello you")
        await client.call("agent.wait", {"runId": "c1"})
        page = await client.call("chat.startup", {"sessionKey": KEY, "limit": 1})
        assert "inFlightRun" not in page
        assert (page["totalMessages"], page["hasMore"], page["nextOffset"]) == (2, True, 1)
        (row,) = page["messages"]
        assert row["content"] == [{"type": "text", "text": "hello you"}]

        async def one(**params: object) -> object:
            return await client.call("chat.message.get", {"sessionKey": KEY} | params)

        del row["__openclaw"]["seq"]
        found = row["__openclaw"]["id"]
        assert await one(messageId=found) == {"ok": True, "message": row}
        cut = await client.call(
            "chat.message.get", {"sessionKey": KEY, "messageId": found, "maxChars": 5}
        )
        assert cut["message"]["content"][0]["text"] == "hello\n...(truncated)..."
        missing = {"ok": False, "unavailableReason": "not_found"}
        for other in ("nope", "99999", "0"):
            assert await one(messageId=other) == missing
        assert await one(sessionKey="other", messageId=found) == missing

"""``wake``, ``set-heartbeats`` and ``last-heartbeat`` over real sockets."""

from __future__ import annotations

from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted
from tests.support.rig_agent import held_agent
from tests.support.until import until

MAIN = "agent:echo:main"


async def test_an_event_wakes_its_agent_at_once() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client, watcher = await greeted(rig), await greeted(rig)
        assert (await client.call("last-heartbeat"))["payload"] is None
        woken = await client.call("wake", {"mode": "now", "text": "the build is red"})
        assert woken["payload"] == {"ok": True}
        await until(lambda: agent.asked)
        (asked,) = agent.asked
        assert (asked["session"], asked["heartbeat"]) == (MAIN, True)
        assert "the build is red" in asked["text"]
        assert "HEARTBEAT_OK" in asked["text"]
        agent.answers("HEARTBEAT_OK")
        told = (await watcher.event("heartbeat"))["payload"]
        assert (told["status"], told["indicatorType"]) == ("ok-token", "ok")
        assert (await client.call("last-heartbeat"))["payload"] == told
        # Nothing was to be said: nothing is in the transcript.
        history = (await client.call("chat.history", {"sessionKey": MAIN}))["payload"]
        assert history["messages"] == []


async def test_an_event_that_waits_stands_before_the_next_turn() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client = await greeted(rig)
        await client.call("wake", {"mode": "next-heartbeat", "text": "rain at noon"})
        assert not agent.asked
        await client.call(
            "chat.send", {"sessionKey": "main", "message": "hi", "idempotencyKey": "k"}
        )
        await until(lambda: agent.asked)
        (asked,) = agent.asked
        (before,) = asked["history"]
        assert (before["role"], asked["text"]) == ("notice", "hi")
        assert before["text"].endswith("] rain at noon")
        agent.answers("hello")


async def test_without_heartbeats_an_event_waits() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client = await greeted(rig)
        off = (await client.call("set-heartbeats", {"enabled": False}))["payload"]
        assert off == {"ok": True, "enabled": False}
        await client.call("wake", {"mode": "now", "text": "later"})
        assert rig.parts.runs.of_session(MAIN) == []
        assert not agent.asked
        kept = await rig.parts.intake.journal.items("heartbeat")  # type: ignore[union-attr]
        assert [(each.id, each.value) for each in kept] == [("enabled", b"false")]


async def test_what_cannot_be_woken_is_refused() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await greeted(rig)
        for params, text in (
            ({"mode": "soon", "text": "x"}, "/mode"),
            ({"mode": "now", "text": " "}, "text required"),
            ({"mode": "now", "text": "x", "agentId": "nobody"}, 'unknown agentId "nobody"'),
            ({"mode": "now", "text": "x", "sessionKey": "agent:nobody:main"}, "no longer exists"),
        ):
            answer = await client.call("wake", params)
            assert text in answer["error"]["message"]

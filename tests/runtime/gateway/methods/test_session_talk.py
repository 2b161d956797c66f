"""``sessions.create``, ``send``, and what is sent to those who follow sessions."""

from __future__ import annotations

from typing import Any

from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted
from tests.support.rawclient import RawClient
from tests.support.rig_agent import echo_agent

KEY = "agent:echo:web1"


async def payload(client: RawClient, method: str, **params: Any) -> Any:
    answer = await client.call(method, params)
    return answer["payload"] if answer["ok"] else answer["error"]["message"]


async def test_a_session_is_made_once_and_takes_what_is_said_in_it() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await greeted(rig)
        missing = await payload(client, "sessions.send", key=KEY, message="x")
        assert missing == f"session not found: {KEY}"
        made = await payload(client, "sessions.create", key="web1", label="mine", model="m")
        assert (made["key"], made["runStarted"], made["entry"]["label"]) == (KEY, False, "mine")
        again = await payload(client, "sessions.create", key=KEY)
        assert again["sessionId"] == made["sessionId"]
        taken = await payload(client, "sessions.create", label="mine")
        assert taken == "label already in use: mine"
        own = await payload(client, "sessions.create", message="hi")
        assert own["key"].startswith("agent:echo:dashboard:")
        assert (own["runStarted"], own["status"]) == (True, "started")
        sent = await payload(client, "sessions.send", key=KEY, message="x", idempotencyKey="k")
        assert sent == {"runId": "k", "status": "started"}


async def test_who_follows_sees_changes_and_messages_and_others_do_not() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client, every, one = await greeted(rig), await greeted(rig), await greeted(rig)
        assert await payload(every, "sessions.subscribe") == {"subscribed": True}
        followed = await payload(one, "sessions.messages.subscribe", key="web1")
        assert followed == {"subscribed": True, "key": KEY}
        say = {"sessionKey": KEY, "message": "hi", "idempotencyKey": "r"}
        await payload(client, "chat.send", **say)
        seen: list[str] = []
        while "end" not in seen:
            change = (await every.event("sessions.changed"))["payload"]
            assert (change["sessionKey"], change["runId"]) == (KEY, "r")
            seen.append(change.get("phase") or change["reason"])
        assert seen == ["send", "start", "end"]
        for each in (every, one):
            asked, answered = [(await each.event("session.message"))["payload"] for _ in range(2)]
            assert (asked["messageSeq"], answered["messageSeq"]) == (1, 2)
            assert answered["message"]["content"][0]["text"] == "echo: hi"
            assert answered["session"]["messageCount"] == 2
        await payload(one, "sessions.messages.unsubscribe", key=KEY)
        await payload(client, "chat.inject", sessionKey=KEY, message="note")
        assert (await every.event("session.message"))["payload"]["messageSeq"] == 3
        await one.send({"type": "req", "id": "z", "method": "health"})
        names: list[str] = []
        while (frame := await one.next())["type"] != "res":
            names.append(frame["event"])
        assert "session.message" not in names
        assert "sessions.changed" not in names

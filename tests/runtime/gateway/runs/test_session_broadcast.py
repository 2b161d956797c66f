"""Who gets the events of sessions."""

from __future__ import annotations

from runtime.gateway.journal.conversations import Session, TranscriptEntry
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted

SESSION = Session("agent:echo:main", "echo", "id-1", messages=5)


async def test_entries_are_counted_to_the_sessions_own_number() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await greeted(rig)
        await client.call("sessions.messages.subscribe", {"key": "main"})
        broadcast = rig.parts.broadcast.sessions
        entries = [TranscriptEntry("user", "a", number=8), TranscriptEntry("notice", "b", number=9)]
        broadcast.publish_change(SESSION, reason="patch")  # only for those who follow all of them
        broadcast.publish_entries(SESSION, entries)
        told = [await client.event("session.message") for _ in entries]
        assert [each["payload"]["messageSeq"] for each in told] == [4, 5]
        assert [each["payload"]["messageId"] for each in told] == ["8", "9"]
        payload = told[0]["payload"]
        row = payload["session"]
        for field in ("sessionId", "updatedAt", "kind"):  # beside it too, as OpenClaw has them
            assert payload[field] == row[field]
        assert (payload["sessionKey"], row["key"]) == (SESSION.key, SESSION.key)
        assert "key" not in payload


async def test_a_client_that_is_forgotten_gets_nothing_more() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await greeted(rig)
        await client.call("sessions.subscribe")
        broadcast = rig.parts.broadcast.sessions
        broadcast.publish_change(SESSION, reason="patch")
        assert (await client.next())["payload"]["reason"] == "patch"
        (view,) = [each for each in rig.parts.hub.clients if each.role == "operator"]
        broadcast.forget(view)
        broadcast.publish_change(SESSION, reason="patch")
        assert (await client.call("health"))["ok"]

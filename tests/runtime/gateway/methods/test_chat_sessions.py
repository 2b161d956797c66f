"""Which session a request for a chat, or for a session's id, belongs to."""

from __future__ import annotations

from msgspec.structs import replace

from ipc.epoch import now_ms
from ipc.frames.words import agent_key
from runtime.gateway.accounts.agent_entries import AgentEntry
from runtime.gateway.journal.conversations import Session, SessionChanged
from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.handshakes import greeted
from tests.support.rig_agent import held_agent

NOW = now_ms()
ROOM = "agent:echo:irc:libera:group:#room"
THERE = {"message": "hi", "channel": "irc", "to": "#room", "agentId": "echo"}


async def stored(rig: GatewayRig, key: str, updated: int, **fields: object) -> None:
    """Store a session that was used last in the room."""
    session = Session(key, "echo", id=f"id {key}", updated=NOW + updated, account="irc:libera")
    session = replace(session, to="#room", **fields)
    await rig.parts.asking.store(SessionChanged(agent_key("echo"), session))


async def test_a_chat_has_its_own_session_whoever_else_has_answered_there() -> None:
    async with gateway_rig(agents="echo") as rig:
        await held_agent(rig)
        await rig.worker("irc:libera")
        client = await greeted(rig)
        await stored(rig, f"{ROOM}:thread:t1", 5, thread="t1")
        await stored(rig, ROOM, 1)
        await stored(rig, "agent:echo:web1", 10)  # a client's, whose answer went there, too
        for number in range(60):  # and the runs of a job
            await stored(rig, f"agent:echo:cron:j:run:{number}", 20 + number)
        asks = [({}, ROOM), ({"threadId": "t1"}, f"{ROOM}:thread:t1")]
        for number, (more, key) in enumerate(asks):
            ask = THERE | more | {"idempotencyKey": f"k{number}"}
            assert (await client.call("agent", ask))["payload"]["sessionKey"] == key


async def test_the_id_of_a_session_of_another_agent_is_refused() -> None:
    async with gateway_rig(agents="echo") as rig:
        await held_agent(rig)
        client = await greeted(rig)
        rig.parts.agents.listed.entries["ops"] = AgentEntry("echo")
        await stored(rig, "agent:echo:web1", 10)
        ask = {"message": "hi", "sessionId": "id agent:echo:web1", "idempotencyKey": "k"}
        refused = await client.call("agent", ask | {"agentId": "ops"})
        assert 'belongs to "echo", not "ops"' in refused["error"]["message"]
        assert (await client.call("agent", ask))["payload"]["sessionKey"] == "agent:echo:web1"
        del rig.parts.agents.listed.entries["echo"]
        gone = await client.call("agent", ask | {"idempotencyKey": "k2"})
        assert "no longer exists" in gone["error"]["message"]

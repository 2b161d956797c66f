"""``messages.outcomes`` over real sockets and a real file."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.data import Answer
from ipc.websocket.client import Client
from tests.support.gateway_rig import INBOUND_ADDRESSED, gateway_rig, row
from tests.support.messages import KEY, acked
from tests.support.rig_agent import delivered, echo_agent, held_agent, turn_of
from tests.support.until import PATIENCE

ON: dict[str, Any] = {"journal": "on", "wanted": True}
BLOCKED = b'{"code":"UNAVAILABLE","message":"banned","details":{"reason":"blocked"}}'


async def of(client: Client, **named: str) -> dict[str, Any]:
    """Return what has become of one message."""
    params = {"messages": [{"account": KEY} | named]}
    (found,) = (await client.call("messages.outcomes", params))["outcomes"]
    return dict(found)


async def becomes(client: Client, outcome: str, **named: str) -> dict[str, Any]:
    """Return what has become of a message once that is an outcome."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await of(client, **named)
            if found["outcome"] == outcome:
                return found


async def test_a_message_is_answered_and_its_answer_is_sent() -> None:
    async with gateway_rig(row(KEY, **ON), agents="echo") as rig:
        worker = await rig.worker(KEY, **ON)
        worker.on_call = delivered
        await echo_agent(rig)
        worker.say(1, flags=INBOUND_ADDRESSED)
        client = await rig.client(scopes=["operator.read"])
        run = {"runId": f"{KEY}/1:1", "agentId": "echo"}
        assert await becomes(client, "answered", cursor="1:1") == {"outcome": "answered"} | run
        sent = await of(client, key=f"run:{KEY}/1:1")
        assert sent == {"outcome": "sent"} | run


async def test_a_message_waits_until_its_agent_has_answered() -> None:
    async with gateway_rig(row(KEY, **ON), agents="echo") as rig:
        worker = await rig.worker(KEY, **ON)
        worker.on_call = lambda call: Answer(call.id, False, BLOCKED)
        agent = await held_agent(rig)
        worker.say(1, flags=INBOUND_ADDRESSED)
        await turn_of(agent)
        client = await rig.client()
        await becomes(client, "running", cursor="1:1")
        agent.answers("hello")
        failed = await becomes(client, "failed", cursor="1:1")
        assert failed["text"] == "banned"


async def test_what_is_dropped_says_why_and_what_is_no_question_has_no_run() -> None:
    async with gateway_rig(row(KEY, **ON), agents="echo") as rig:
        worker = await rig.worker(KEY, **ON)
        await rig.report(row(KEY, **ON), access={KEY: {"dm": "disabled"}})
        worker.say(1, flags=INBOUND_ADDRESSED)
        worker.say(2, chat={"id": "#room", "kind": "group"})
        await acked(worker, 2)
        client = await rig.client()
        dropped = await becomes(client, "dropped", cursor="1:1")
        assert dropped["text"] == "direct messages are disabled"
        both = {"messages": [{"account": KEY, "cursor": f"1:{seq}"} for seq in (1, 9)]}
        found = (await client.call("messages.outcomes", both))["outcomes"]
        assert [each["outcome"] for each in found] == ["dropped", "none"]


async def test_what_is_dropped_without_a_journal_is_known_by_its_id() -> None:
    closed = {KEY: {"dm": "disabled"}}
    off: dict[str, Any] = {"journal": "off", "wanted": True}
    async with gateway_rig(row(KEY, **off), agents="echo") as rig:
        worker = await rig.worker(KEY, **off)
        await rig.report(row(KEY, **off), access=closed)
        worker.say(1, flags=INBOUND_ADDRESSED)
        client = await rig.client()
        dropped = await becomes(client, "dropped", cursor="1:1", id="m1")
        assert dropped["text"] == "direct messages are disabled"
        assert (await of(client, cursor="1:1", id="m2"))["outcome"] == "none"


async def test_without_a_journal_what_went_out_is_sent_and_strange_names_are_refused() -> None:
    async with gateway_rig(row(KEY)) as rig:
        client = await rig.client()
        assert await of(client, key="k") == {"outcome": "sent"}
        assert await of(client, cursor="1:1") == {"outcome": "none"}
        for named, text in (({}, "one of cursor and key"), ({"cursor": "x"}, "not a cursor")):
            with pytest.raises(RemoteError, match=text):
                await of(client, **named)
        for messages in ([], [{"account": KEY, "key": "k"}] * 101, [{"account": KEY, "row": "k"}]):
            with pytest.raises(RemoteError, match=r"invalid messages\.outcomes params"):
                await client.call("messages.outcomes", {"messages": messages})

"""``messages.trace`` over real sockets and a real file."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.data import Call
from ipc.websocket.client import Client
from runtime.gateway.telemetry.spans import trace_id
from tests.support.gateway_rig import INBOUND_ADDRESSED, gateway_rig, row
from tests.support.messages import KEY, acked
from tests.support.rig_agent import delivered, echo_agent
from tests.support.until import PATIENCE, until

CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ON: dict[str, Any] = {"journal": "on", "wanted": True}


async def test_the_way_of_a_message_is_shown_from_its_arrival_to_the_answer() -> None:
    async with gateway_rig(row(KEY, **ON), agents="echo") as rig:
        worker = await rig.worker(KEY, **ON)
        sent: list[str] = []

        def on_call(call: Call) -> Any:
            sent.append(call.method)
            return delivered(call)

        worker.on_call = on_call
        await echo_agent(rig)
        worker.say(1, flags=INBOUND_ADDRESSED)
        await acked(worker, 1)
        await until(lambda: sent)
        client = await rig.client(scopes=["operator.read"])
        async with asyncio.timeout(PATIENCE):  # until the last step of it is stored
            while True:
                way = await client.call("messages.trace", {"channel": "irc", "messageId": "m1"})
                if way["outbox"]["state"] == "sent":
                    break
        assert (way["account"], way["cursor"]) == (KEY, "1:1")
        run, outbox = way["run"], way["outbox"]
        decided = way["admission"]["at"]
        assert (way["message"]["text"], way["admission"]["outcome"]) == ("text 1", "run")
        assert run["acceptedAt"] <= decided <= run["startedAt"] <= run["endedAt"]
        assert run["endedAt"] <= outbox["firstAttempt"] == outbox["lastAttempt"] <= outbox["ended"]
        assert "traceId" not in way  # none are exported
        assert (run["state"], run["answer"]) == ("final", "echo: text 1")
        assert way["outbox"]["attempts"] == 1
        assert "askedIn" not in way
        for params in ({"cursor": "1:1"}, {"runId": run["runId"]}):
            assert await client.call("messages.trace", {"channel": "irc"} | params) == way


async def test_where_traces_are_exported_the_way_names_the_one_of_the_message() -> None:
    async with gateway_rig(row(KEY, **ON), agents="echo", telemetry={"enabled": True}) as rig:
        worker = await rig.worker(KEY, **ON)
        worker.on_call = delivered
        await echo_agent(rig)
        worker.say(1, flags=INBOUND_ADDRESSED, trace=CLIENT)
        worker.say(2, flags=INBOUND_ADDRESSED)
        await acked(worker, 2)
        client = await rig.client()
        found = []
        async with asyncio.timeout(PATIENCE):  # until they are decided about
            for cursor in ("1:1", "1:2"):
                while "run" not in (way := await of(client, cursor)):
                    pass
                found.append(way["traceId"])
        assert found == [CLIENT[3:35], f"{trace_id(f'{KEY}/1:2'):032x}"]


async def of(client: Client, cursor: str) -> Any:
    """Return the way of a message."""
    return await client.call("messages.trace", {"channel": "irc", "cursor": cursor})


async def test_what_was_kept_as_context_has_no_run_and_strange_names_are_refused() -> None:
    async with gateway_rig(row(KEY, **ON), agents="echo") as rig:
        worker = await rig.worker(KEY, **ON)
        worker.say(1, chat={"id": "#room", "kind": "group"})
        await acked(worker, 1)
        client = await rig.client()
        way = await client.call("messages.trace", {"messageId": "m1"})
        assert (way["admission"]["outcome"], "run" in way) == ("none", False)
        for params, text in (
            ({}, "one of cursor, messageId and runId"),
            ({"messageId": "m2"}, "no such message"),
            ({"cursor": "1:9"}, "no such message"),
            ({"cursor": "x"}, "not a cursor"),
            ({"cursor": f"1:{1 << 63}"}, "not a cursor"),
            ({"runId": "x"}, "no run is known"),
        ):
            with pytest.raises(RemoteError, match=text):
                await client.call("messages.trace", params)


async def test_why_a_message_was_dropped_is_said_in_words() -> None:
    closed = {KEY: {"dm": "disabled"}}
    async with gateway_rig(row(KEY, **ON), agents="echo") as rig:
        worker = await rig.worker(KEY, **ON)
        await rig.report(row(KEY, **ON), access=closed)
        worker.say(1, flags=INBOUND_ADDRESSED)
        await acked(worker, 1)
        client = await rig.client()
        async with asyncio.timeout(PATIENCE):  # until the decision is stored
            while True:
                way = await client.call("messages.trace", {"channel": "irc", "cursor": "1:1"})
                if way["admission"]["outcome"] == "drop":
                    break
        text = "direct messages are disabled"
        assert way["admission"] == {"outcome": "drop", "reason": "dm-disabled", "text": text}

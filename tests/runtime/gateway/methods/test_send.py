"""``send``, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ipc.frames.data import Answer, Call
from ipc.frames.words import INVALID_REQUEST
from tests.support.gateway_rig import gateway_rig, row
from tests.support.handshakes import greeted
from tests.support.until import PATIENCE

KEY = "irc:libera"


SENT = b'{"id":"m-1","chat":"#room","ts":5}'


SEND = {"to": "#room", "message": "hi", "idempotencyKey": "k-1"}


async def test_a_message_is_sent_by_its_account() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        seen: list[Any] = []

        def on_call(call: Call) -> Answer:
            seen.append((call.method, msgspec.json.decode(call.params)))
            return Answer(call.id, True, SENT)

        worker.on_call = on_call
        answer = await (await rig.client()).call("send", SEND)
        assert answer == {
            "runId": "k-1",
            "messageId": "m-1",
            "channel": "irc",
            "chatId": "#room",
        }
        plain = {"to": "#room", "text": "hi", "key": "k-1"}
        assert seen == [("send", plain)]
        marked = {"markup": "markdown", "silent": True}
        await (await rig.client()).call("send", SEND | marked | {"idempotencyKey": "k-2"})
        assert seen[1] == ("send", plain | marked | {"key": "k-2"})


async def test_a_refusal_of_the_plugin_comes_back_as_it_is() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        shape = b'{"code":"UNAVAILABLE","message":"no such nick","retryable":false}'
        worker.on_call = lambda call: Answer(call.id, False, shape)
        answer = await (await greeted(rig)).call("send", SEND)
        assert answer["error"]["message"] == "no such nick"


@pytest.mark.parametrize("journal", ["on", "off"])
@pytest.mark.parametrize("connected", [True, False])
async def test_a_message_that_was_not_sent_is_among_the_recent_faults(
    journal: str, connected: bool
) -> None:
    async with gateway_rig() as rig:
        if not connected:
            await rig.report(row(KEY, phase="stopped", journal=journal))
        else:
            worker = await rig.worker(KEY, journal=journal, wanted=True)
            shape = b'{"code":"UNAVAILABLE","message":"no such nick","retryable":false}'
            worker.on_call = lambda call: Answer(call.id, False, shape)
        client = await greeted(rig)
        answer = await client.call("send", SEND)
        unsent = {"type": "message.unsent"}
        (event,) = (await client.call("diagnostics.stability", unsent))["payload"]["events"]
        assert event["account"] == KEY
        assert event["reason"] == answer["error"]["message"]


@pytest.mark.parametrize("key", ["k-1\0", "\0", "k-1\0\n"])
async def test_a_key_that_the_journal_would_take_for_another_is_refused(key: str) -> None:
    async with gateway_rig() as rig:
        await rig.worker(KEY, journal="on")
        client = await greeted(rig)
        answer = await client.call("send", SEND | {"idempotencyKey": key, "queue": True})
        assert answer["error"]["code"] == INVALID_REQUEST
        assert "idempotencyKey" in answer["error"]["message"]


async def test_what_is_sent_is_added_to_the_session_that_is_named_once() -> None:
    async with gateway_rig(agents="echo") as rig:
        worker = await rig.worker(KEY)
        worker.on_call = lambda call: Answer(call.id, True, SENT)
        client = await rig.client()
        for _ in range(2):
            answer = await client.call("send", SEND | {"sessionKey": "agent:main:main"})
            assert "ignored" not in answer
        other = await client.call("send", SEND | {"sessionKey": "agent:nobody:main"})
        assert other["ignored"] == ["sessionKey"]

        async def rows() -> Any:
            return (await client.call("chat.history", {"sessionKey": "main"}))["messages"]

        async with asyncio.timeout(PATIENCE):
            while not (found := await rows()):
                pass
        (row,) = found
        assert row["content"] == [{"type": "text", "text": "hi"}]
        known = {"model": "delivery-mirror", "provider": "openclaw", "idempotencyKey": "k-1"}
        assert row | known | {"api": "openclaw-transcript"} == row

"""``deadletters.*`` and ``send`` with a journal, over real sockets and a real file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.data import Answer, Call
from runtime.gateway.journal import copies
from runtime.gateway.journal.interface import FILE
from runtime.gateway.outbox.entries import RESTORED
from tests.support.gateway_rig import gateway_rig, row
from tests.support.until import PATIENCE

KEY = "irc:libera"
SEND = {"to": "#room", "message": "hi", "idempotencyKey": "k-1", "channel": "irc"}
SENT = b'{"sent":[{"id":"m-1","chat":"#room","ts":5}]}'
BLOCKED = b'{"code":"UNAVAILABLE","message":"banned","details":{"reason":"blocked"}}'


async def test_a_message_that_was_given_up_is_shown_and_sent_after_all(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on", wanted=True)
        seen: list[Any] = []
        good = False

        def on_call(call: Call) -> Answer:
            seen.append((call.method, msgspec.json.decode(call.params)))
            return Answer(call.id, good, SENT if good else BLOCKED)

        worker.on_call = on_call
        client = await rig.client()
        queued = await client.call("send", SEND | {"queue": True})
        assert queued["status"] == "queued"

        async def letters() -> list[dict[str, Any]]:
            answer = await client.call("deadletters.list", {})
            return list(answer["letters"])

        async with asyncio.timeout(PATIENCE):
            while not (found := await letters()):
                continue
        (letter,) = found
        waits = (await client.call("attention", {}))["deadLetters"]
        assert waits == {"count": 1, "states": {letter["state"]: 1}}
        assert (letter["id"], letter["account"]) == (queued["outboxId"], KEY)
        assert (letter["state"], letter["reason"], letter["error"]) == (
            "failed",
            "blocked",
            "banned",
        )
        assert letter["text"] == "hi"
        shown = await client.call("deadletters.show", {"id": letter["id"]})
        assert shown["message"]["text"] == "hi"
        assert (await client.call("deadletters.list", {"account": "irc:oftc"}))["letters"] == []
        good = True
        await client.call("deadletters.retry", {"id": letter["id"]})
        answer = await client.call("send", SEND)
        assert answer == {
            "runId": "k-1",
            "messageId": "m-1",
            "channel": "irc",
            "chatId": "#room",
        }
        assert [(method, call["attempt"]) for method, call in seen] == [
            ("deliver", 1),
            ("deliver", 2),
        ]
        with pytest.raises(RemoteError, match="different input"):
            await client.call("send", SEND | {"message": "ho"})
        with pytest.raises(RemoteError, match="no dead letter"):
            await client.call("deadletters.discard", {"id": letter["id"]})
        status = await client.call("status", {})
        assert status["outbox"]["depth"] == 0
        assert status["outbox"]["attempts"]["sent"] == 1


async def test_without_a_journal_nothing_is_queued() -> None:
    async with gateway_rig() as rig:
        await rig.worker(KEY)
        client = await rig.client()
        with pytest.raises(RemoteError, match="has no journal"):
            await client.call("send", SEND | {"queue": True})
        assert (await client.call("deadletters.list", {}))["letters"] == []


async def test_what_waits_in_a_restored_copy_is_not_sent_again_unasked(tmp_path: Path) -> None:
    file = tmp_path / FILE
    on = row(KEY, "backoff", journal="on")
    async with gateway_rig(on, state_dir=tmp_path) as rig:
        await (await rig.client()).call("send", SEND | {"queue": True})
    copies.copy(file, tmp_path / "copy.db")
    copies.restore(tmp_path / "copy.db", file)
    async with gateway_rig(on, state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, 2, journal="on", wanted=True)
        called: list[Call] = []
        worker.on_call = called.append
        client = await rig.client()
        async with asyncio.timeout(PATIENCE):
            while not (found := (await client.call("deadletters.list", {}))["letters"]):
                continue
        assert [(each["state"], each["error"]) for each in found] == [("unknown", RESTORED)]
        assert called == []

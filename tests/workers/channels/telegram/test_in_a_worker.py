"""The channel in a real worker, between the fake server and a gateway on real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from ipc.frames import control
from tests.support.short_directory import ShortDirectory
from tests.support.worker_rig import WorkerRig, worker_rig
from tests.workers.channels.telegram.running_bot import TOKEN
from workers.testing.fakes.telegram import ApiFault, FakeTelegram, fake_telegram

MANIFEST = "workers.channels.telegram:manifest"


@asynccontextmanager
async def bot(*, acking: bool = True) -> AsyncIterator[tuple[WorkerRig, FakeTelegram]]:
    with ShortDirectory() as place:
        async with fake_telegram() as fake, worker_rig(place) as rig:
            rig.gateway.durable, rig.gateway.acking = True, acking
            start(rig, fake)
            await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
            yield rig, fake


def start(rig: WorkerRig, fake: FakeTelegram, **changes: Any) -> None:
    config = {"botToken": TOKEN, "apiRoot": fake.root}
    rig.start(MANIFEST, key="telegram:a", config=config, **changes)


async def test_an_update_is_confirmed_when_the_gateway_has_stored_it() -> None:
    async with bot(acking=False) as (rig, fake):
        await fake.say(TOKEN, "one")
        await rig.gateway.heard(1)
        await rig.gateway.result("probe", {})  # a call that was sent later has arrived meanwhile
        assert fake.bot(TOKEN).confirmed == 0
        assert json.loads(rig.gateway.packs[-1].cursor)["offset"] > 0
        rig.gateway.acking = True
        rig.gateway.acknowledge()
        await fake.until(lambda: not fake.bot(TOKEN).updates)
        assert await rig.stop() == 0


async def test_the_next_worker_gets_what_the_gateway_had_not() -> None:
    async with bot(acking=False) as (rig, fake):
        await fake.say(TOKEN, "one")
        await rig.gateway.heard(1)
        assert rig.task is not None
        await rig.close()  # as a kill does: nothing was acknowledged
        assert len(fake.bot(TOKEN).updates) == 1
        async with fake_again(rig) as again:
            start(again, fake, incarnation=8)
            assert await again.gateway.heard(1) == ["one"]
            await fake.until(lambda: not fake.bot(TOKEN).updates)
            assert await again.stop() == 0


@asynccontextmanager
async def fake_again(rig: WorkerRig) -> AsyncIterator[WorkerRig]:
    async with worker_rig(rig.run_dir) as again:
        again.gateway.durable = True
        yield again


async def test_markdown_arrives_rendered_and_in_parts() -> None:
    async with bot() as (rig, fake):
        code = "\n".join(f"line {number} <of> code" for number in range(400))
        params = {"to": "7", "text": f"**see**\n\n```py\n{code}\n```", "markup": "markdown"}
        sent = await rig.gateway.result("send", params | {"key": "k"})
        parts = fake.bot(TOKEN).sent
        assert sent["id"] == f"7/{parts[0]['message_id']}"
        assert sent["parts"] == len(parts) > 1
        assert parts[0]["text"].startswith(
            '<b>see</b>\n\n<pre><code class="language-py">line 0 &lt;'
        )
        assert all(part["text"].endswith("</code></pre>") for part in parts)
        lines = [line for part in parts for line in part["shown"].splitlines() if "line" in line]
        assert lines == code.splitlines()
        await rig.gateway.result("send", params | {"key": "k"})
        assert len(fake.bot(TOKEN).sent) == len(parts), "the same key is the same message"
        assert await rig.stop() == 0


async def test_a_repeated_key_sends_only_what_was_not_sent() -> None:
    async with bot() as (rig, fake):
        params = {"to": "7", "text": ("x" * 4000 + "\n\n") * 3, "key": "k"}
        ok, wrong = ApiFault("nothing"), ApiFault("sendMessage", code=429, retry_after=0)
        fake.bot(TOKEN).faults += [ok, wrong]
        error = await rig.gateway.error("send", params)
        assert error["retryable"]
        assert (await rig.gateway.result("send", params))["parts"] == 3
        assert [len(text) for text in fake.bot(TOKEN).texts] == [4000] * 3
        assert await rig.stop() == 0


async def test_an_edit_is_rendered_as_a_message_is() -> None:
    async with bot() as (rig, fake):
        sent = await rig.gateway.result("send", {"to": "7", "text": "old", "key": "k"})
        edit = {"name": "edit", "message": sent["id"], "text": "**new** <", "markup": "markdown"}
        await rig.gateway.result("action", edit | {"key": "k2"})
        made = fake.bot(TOKEN).sent[-1]
        assert (made["text"], made["parse_mode"]) == ("<b>new</b> &lt;", "HTML")
        error = await rig.gateway.error("action", edit | {"text": "x" * 4097, "key": "k3"})
        assert error["details"]["reason"] == "too_long"
        assert await rig.stop() == 0


async def test_no_token_is_seen_anywhere(capfd: Any) -> None:
    async with bot() as (rig, fake):
        fake.bot(TOKEN).faults += [
            ApiFault("sendMessage", drop="after"),
            ApiFault("sendMessage", html=True),
            ApiFault("sendMessage", code=400),
        ]
        errors = [
            await rig.gateway.error("send", {"to": "7", "text": "x", "key": f"k{number}"})
            for number in range(3)
        ]
        fake.bot(TOKEN).revoked = True
        await fake.say(TOKEN, "x")
        assert await rig.code() == 77
        told = [repr(errors), repr(rig.said), repr(rig.supervisor.frames)]
        told += [msgspec.json.encode(rig.supervisor.status()).decode(), *capfd.readouterr()]
        assert not [text for text in told if TOKEN.partition(":")[2] in text]

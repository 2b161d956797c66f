"""The channel in a real worker, between the fake server and a gateway on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from ipc.frames import control
from tests.support.short_directory import ShortDirectory
from tests.support.worker_rig import WorkerRig, worker_rig
from tests.workers.channels.slack.running_app import APP_TOKEN, BOT_TOKEN
from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.fakes.slack_apps import MethodFault

MANIFEST = "workers.channels.slack:manifest"
SECRETS = ("secretofthebot", "secretoftheapp")


@asynccontextmanager
async def app(*, acking: bool = True) -> AsyncIterator[tuple[WorkerRig, FakeSlack]]:
    with ShortDirectory() as place:
        server = fake_slack(ack_seconds=1.0, resends=(0.5,) * 20)
        async with server as fake, worker_rig(place) as rig:
            rig.gateway.durable, rig.gateway.acking = True, acking
            start(rig, fake)
            await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
            yield rig, fake


def start(rig: WorkerRig, fake: FakeSlack, **changes: Any) -> None:
    config = {"botToken": BOT_TOKEN, "appToken": APP_TOKEN, "apiRoot": fake.root}
    rig.start(MANIFEST, key="slack:a", config=config, **changes)


async def test_an_envelope_is_acknowledged_when_the_gateway_has_stored_it() -> None:
    async with app(acking=False) as (rig, fake):
        await fake.say(BOT_TOKEN, "one")
        await rig.gateway.heard(1)
        await rig.gateway.result("probe", {})  # a call that was sent later has arrived meanwhile
        assert not fake.app(BOT_TOKEN).acknowledged
        rig.gateway.acking = True
        rig.gateway.acknowledge()
        await fake.until(lambda: fake.app(BOT_TOKEN).acknowledged)
        assert rig.gateway.named == ["T1/UBOT1"]
        assert await rig.stop() == 0


async def test_the_next_worker_gets_what_the_gateway_had_not() -> None:
    async with app(acking=False) as (rig, fake):
        await fake.say(BOT_TOKEN, "one")
        await rig.gateway.heard(1)
        await rig.close()  # as a kill does: nothing was acknowledged
        async with worker_rig(rig.run_dir) as again:
            again.gateway.durable = True
            start(again, fake, incarnation=8)
            assert await again.gateway.heard(1) == ["one"]
            await fake.until(lambda: fake.app(BOT_TOKEN).acknowledged)
            assert await again.stop() == 0


async def test_markdown_arrives_rendered_and_in_parts() -> None:
    async with app() as (rig, fake):
        code = "\n".join(f"line {number} <of> code" for number in range(300))
        params = {"to": "C1", "text": f"**see**\n\n```py\n{code}\n```", "markup": "markdown"}
        sent = await rig.gateway.result("send", params | {"key": "k"})
        parts = fake.app(BOT_TOKEN).sent
        assert sent["parts"] == len(parts) > 1
        assert parts[0]["text"].startswith("*see*\n\n```\nline 0 &lt;of&gt; code")
        assert all(len(part["text"]) <= 4000 for part in parts)
        assert all(part["text"].count("```") == 2 for part in parts)
        await rig.gateway.result("send", params | {"key": "k"})
        assert len(fake.app(BOT_TOKEN).sent) == len(parts), "the same key is the same message"
        assert await rig.stop() == 0


async def test_no_token_is_seen_anywhere(capfd: Any) -> None:
    async with app() as (rig, fake):
        slack = fake.app(BOT_TOKEN)
        slack.faults += [
            MethodFault("chat.postMessage", drop="after"),
            MethodFault("chat.postMessage", html=True),
            MethodFault("chat.postMessage", error="invalid_blocks"),
        ]
        errors = [
            await rig.gateway.error("send", {"to": "C1", "text": "x", "key": f"k{number}"})
            for number in range(3)
        ]
        slack.error = "token_revoked"
        errors.append(await rig.gateway.error("send", {"to": "C1", "text": "x", "key": "k4"}))
        assert await rig.code() == 77
        assert rig.final
        told = [repr(errors), repr(rig.said), repr(rig.supervisor.frames)]
        told += [msgspec.json.encode(rig.supervisor.status()).decode(), *capfd.readouterr()]
        assert not [text for text in told for secret in SECRETS if secret in text]


async def test_files_go_through_the_store_of_the_account() -> None:
    async with app() as (rig, fake):
        data = {"to": "C1", "text": "see", "attachments": [{"url": "data:text/plain,hello"}]}
        sent = await rig.gateway.result("send", data | {"key": "k"})
        (made,) = fake.app(BOT_TOKEN).sent
        assert fake.files.files[made["files"][0]["id"]].content == b"hello"
        assert sent["id"] == f"C1/{made['ts']}"
        file = fake.files.add(b"12345", "a.txt")
        await fake.say(BOT_TOKEN, "look", files=[file], subtype="file_share")
        assert await rig.gateway.heard(2) == ["see", "look"]  # what was sent is told too
        assert await rig.stop() == 0

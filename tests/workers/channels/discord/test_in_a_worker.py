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
from tests.workers.channels.discord.running_bot import TOKEN
from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import RestFault

MANIFEST = "workers.channels.discord:manifest"


@asynccontextmanager
async def bot(*, acking: bool = True) -> AsyncIterator[tuple[WorkerRig, FakeDiscord]]:
    with ShortDirectory() as place:
        async with fake_discord() as fake, worker_rig(place) as rig:
            rig.gateway.durable, rig.gateway.acking = True, acking
            start(rig, fake)
            await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
            yield rig, fake


def start(rig: WorkerRig, fake: FakeDiscord, **changes: Any) -> None:
    config = {"token": TOKEN, "apiRoot": fake.root}
    rig.start(MANIFEST, key="discord:a", config=config, **changes)


async def test_the_next_worker_resumes_behind_what_is_stored() -> None:
    async with bot() as (rig, fake):
        await fake.say(TOKEN, "one")
        await rig.gateway.heard(1)
        stored = rig.gateway.packs[-1].cursor
        rig.gateway.acking = False
        await fake.say(TOKEN, "two")
        await rig.gateway.heard(2)
        await rig.close()  # as a kill does: the second was not acknowledged
        await fake.say(TOKEN, "three")
        async with worker_rig(rig.run_dir) as again:
            again.gateway.durable, again.gateway.cursor = True, stored
            again.gateway.identity = "110"
            start(again, fake, incarnation=8)
            assert await again.gateway.heard(2) == ["two", "three"]
            assert (fake.bot(TOKEN).identified, fake.bot(TOKEN).resumed) == (1, 1)
            assert again.gateway.named == ["110"]
            assert await again.stop() == 0


async def test_the_position_stands_with_each_message() -> None:
    async with bot() as (rig, fake):
        for number in range(3):
            await fake.say(TOKEN, str(number))
            await rig.gateway.heard(number + 1)
        positions = [json.loads(each.cursor) for each in rig.gateway.packs]
        numbers = [each["seq"] for each in positions]
        assert numbers == sorted(numbers)
        bot_at_server = fake.bot(TOKEN)
        assert bot_at_server.session is not None
        assert positions[-1]["session"] == bot_at_server.session.id
        assert positions[-1]["direct"] == [bot_at_server.direct]
        assert await rig.stop() == 0
        assert bot_at_server.closes == [4000]


async def test_markdown_arrives_rendered_and_in_parts() -> None:
    async with bot() as (rig, fake):
        code = "\n".join(f"line {number} *of* code" for number in range(400))
        to = fake.bot(TOKEN).direct
        params = {"to": to, "text": f"**see** a_b\n\n```py\n{code}\n```", "markup": "markdown"}
        sent = await rig.gateway.result("send", params | {"key": "k"})
        texts = fake.bot(TOKEN).texts
        assert sent["parts"] == len(texts) > 1
        assert texts[0].startswith("**see** a\\_b\n\n```py\nline 0 *of*")
        assert all(each.endswith("```") and len(each) <= 2000 for each in texts)
        lines = [line for each in texts for line in each.splitlines() if line.startswith("line")]
        assert lines == code.splitlines()
        nonces = {each["nonce"] for each in fake.bot(TOKEN).sent}
        assert len(nonces) == len(texts)
        assert await rig.stop() == 0


async def test_a_refusal_reaches_the_caller_with_its_reason() -> None:
    async with bot() as (rig, fake):
        faults = fake.bot(TOKEN).faults
        faults.append(RestFault("POST", status=403, code=50007))
        params = {"to": fake.bot(TOKEN).direct, "text": "x", "key": "k1"}
        error = await rig.gateway.error("send", params)
        assert error["details"]["reason"] == "blocked"
        faults.append(RestFault("POST", status=429, retry_after=90.0))
        error = await rig.gateway.error("send", params | {"key": "k2"})
        assert error["details"]["reason"] == "rate_limited"
        assert 80_000 < error["retryAfterMs"] <= 90_000
        assert await rig.stop() == 0


async def test_no_token_is_seen_anywhere(capfd: Any) -> None:
    async with bot() as (rig, fake):
        fake.bot(TOKEN).faults += [
            RestFault("POST", drop="after"),
            RestFault("POST", html=True),
            RestFault("POST", status=400),
        ]
        to = fake.bot(TOKEN).direct
        errors = [
            await rig.gateway.error("send", {"to": to, "text": "x", "key": f"k{number}"})
            for number in range(3)
        ]
        fake.bot(TOKEN).revoked = True
        await fake.gateway.close(fake.bot(TOKEN), 4004)
        assert await rig.code() == 77
        told = [repr(errors), repr(rig.said), repr(rig.supervisor.frames)]
        told += [msgspec.json.encode(rig.supervisor.status()).decode(), *capfd.readouterr()]
        assert not [text for text in told if "secret-part" in text]

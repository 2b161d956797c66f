"""Bots of Discord under the real daemon, against a server that stands for Discord's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.frames.websocket import Event
from ipc.websocket.reconnecting import Subscription
from tests.support.admission import approve
from tests.support.answers import ECHO as ANSWER
from tests.support.answers import answered_or_unknown
from tests.support.daemon import ECHO, Daemon
from tests.support.restarts import kill_gateway, kill_next
from tests.support.until import PATIENCE, until
from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import token_of

pytestmark = pytest.mark.e2e

ONE, TWO, THREE = (token_of(f"{number}0") for number in (1, 2, 3))


def configuration(fake: FakeDiscord, **accounts: str) -> dict[str, Any]:
    fields = {name: {"token": token} for name, token in accounts.items()}
    return {
        "agents": {"default": "echo"},
        "queue": {"mode": "followup", "cap": 1000},
        "channels": {"discord": {"apiRoot": fake.root, "accounts": fields}},
    }


def says(key: str, words: str, status: dict[str, Any]) -> bool:
    return words in str(status["accounts"][key])


async def test_the_commands_of_the_readme_make_a_bot_that_answers(tmp_path: Path) -> None:
    async with fake_discord() as fake, Daemon(tmp_path, ECHO) as daemon:
        added = await daemon.command(
            "channels", "add", "discord:mybot", f"token={ONE}", f"apiRoot={fake.root}"
        )
        assert added[0] == 0, added[2]
        await daemon.wait_phase("discord:mybot", "running")
        await fake.say(ONE, "hello")
        await fake.until(lambda: len(fake.bot(ONE).texts) == 1, 30)
        await approve(daemon, "discord", fake.bot(ONE).texts[0])
        await fake.say(ONE, "hello again")
        await fake.until(lambda: fake.bot(ONE).texts[1:] == ["echo: hello again"], 30)
        _, shown, _ = await daemon.command("channels", "describe", "discord:mybot")
        assert "@fake10" in shown
        kept = [
            daemon.output,
            *(each for each in (tmp_path / "state").rglob("*") if each.is_file()),
        ]
        assert not [each for each in kept if b"secret-part" in each.read_bytes()]


async def test_kills_of_the_worker_and_the_gateway_lose_and_repeat_nothing(tmp_path: Path) -> None:
    heard: list[str] = []

    def on_event(event: Event) -> None:
        if event.event == "channel.message":
            assert isinstance(event.payload, msgspec.Raw)
            message = msgspec.json.decode(event.payload)
            if message["direction"] == "in":
                heard.append(message["message"]["text"])

    said = [f"message {number}" for number in range(36)]
    everything = ["the first", *said, "the last"]
    async with fake_discord() as fake:
        bot = fake.bot(ONE)
        async with Daemon(tmp_path, configuration(fake, bot=ONE, other=TWO)) as daemon:
            await daemon.wait_phase("discord:bot", "running")
            other = await daemon.wait_phase("discord:other", "running")
            wanted = Subscription(accounts=["discord:bot"], events=["channel.message"])
            async with daemon.reconnecting(on_event=on_event, subscribe=wanted):
                await fake.say(ONE, "the first")
                await until(lambda: heard, 20)  # without a cursor it would be owed nothing
                killed: list[int] = []
                for number, text in enumerate(said):
                    await fake.say(ONE, text)
                    if number in (6, 22, 28):
                        killed.append(await kill_next(daemon, "discord:bot", killed))
                    if number == 12:
                        await kill_gateway(daemon)
                    if number == 28:
                        fake.gateway.forget(bot)  # the session is gone with the worker
                await until(lambda: len(heard) > len(said), 60)
                await fake.say(ONE, "the last")
                await until(lambda: heard[-1] == "the last", 60)
            assert heard == everything
            assert bot.identified == 2, "all other sessions were resumed"
            # One chat takes one message a second. What a killed worker had in its hands is sent
            # again, for Discord knows its key.
            letters = await answered_or_unknown(
                daemon, "discord:bot", everything, lambda: bot.texts, len(everything) + PATIENCE
            )
            assert letters == []
            assert bot.texts == [f"{ANSWER}{text}" for text in everything], "once each, in order"
            status = await daemon.status()
            assert status["accounts"]["discord:other"]["pid"] == other["pid"]


async def test_faults_of_one_bot_stay_with_it(tmp_path: Path) -> None:
    async with fake_discord() as fake:
        config = configuration(fake, one=ONE, two=TWO, three=THREE)
        async with Daemon(tmp_path, config) as daemon:
            for name in ("one", "two", "three"):
                await daemon.wait_phase(f"discord:{name}", "running")
            fake.bot(ONE).revoked = True
            await fake.gateway.close(fake.bot(ONE), 4004)
            fake.bot(TWO).content_off = True
            fake.gateway.forget(fake.bot(TWO))
            await fake.gateway.close(fake.bot(TWO), 4000)
            for name, words in (("one", "Reset Token"), ("two", "MESSAGE CONTENT INTENT")):
                await daemon.wait(partial(says, f"discord:{name}", words))
            await fake.say(THREE, "hello")
            await fake.until(lambda: fake.bot(THREE).texts == ["echo: hello"], 30)

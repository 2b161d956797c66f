"""Random kills of every process lose no message, repeat none, and answer each once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.loss_trial import Trial, run_trial
from workers.testing.fakes.telegram import ApiFault, FakeTelegram, fake_telegram

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

BACK_SECONDS = 0.2  # until a killed chat server is there again


class TelegramUnderLoad:
    """Two bots of a fake Telegram."""

    keys = ("telegram:bot1", "telegram:bot2")

    def __init__(self, fake: FakeTelegram) -> None:
        self._fake = fake

    @staticmethod
    def token(key: str) -> str:
        return f"{key[-1]}:AAtoken-of-a-fake-bot"

    async def say(self, key: str, chat: int, text: str) -> None:
        await self._fake.say(self.token(key), text, chat=7 + chat)

    def answers(self, key: str) -> list[str]:
        return self._fake.bot(self.token(key)).texts

    async def kill(self) -> None:
        for key in self.keys:
            self._fake.bot(self.token(key)).faults.append(ApiFault("sendMessage", drop="after"))
        self._fake.down = True
        await asyncio.sleep(BACK_SECONDS)
        self._fake.down = False


@pytest.mark.parametrize("kills", [60, pytest.param(1000, marks=pytest.mark.slow)])
async def test_telegram(tmp_path: Path, kills: int) -> None:
    async with fake_telegram() as fake:
        platform = TelegramUnderLoad(fake)
        accounts = {key.split(":")[1]: {"botToken": platform.token(key)} for key in platform.keys}
        channels = {"telegram": {"apiRoot": fake.root, "accounts": accounts}}
        config = {"agents": {"default": "echo"}, "channels": channels}
        async with Daemon(tmp_path, config) as daemon:
            trial = await run_trial(daemon, platform, kills, seed=kills)
    _report(trial)
    trial.check()


def _report(trial: Trial) -> None:
    said = sum(map(len, trial.said.values()))
    print(f"\n{said} messages, {trial.unknown} unknown, kills: {dict(trial.kills)}")
    for (state, reason, error), count in trial.letters.items():
        print(f"{count} {state} ({reason}): {error}")

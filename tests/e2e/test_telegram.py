"""Bots of Telegram under the real daemon, against a server that stands for Telegram's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.admission import approve
from tests.support.answers import answered_or_unknown
from tests.support.daemon import ECHO, Daemon
from tests.support.restarts import kill_next
from tests.support.watching import watching
from workers.testing.fakes.telegram import ApiFault, FakeTelegram, fake_telegram

pytestmark = pytest.mark.e2e

README = (Path(__file__).parents[2] / "README.md").read_text()


def token(number: int) -> str:
    return f"{number}:AAtoken-of-a-fake-bot"


def configuration(fake: FakeTelegram, count: int) -> dict[str, Any]:
    accounts = {f"bot{number}": {"botToken": token(number)} for number in range(1, count + 1)}
    # One person writes to all chats at once.
    queue = {"mode": "followup", "cap": 1000}
    channels = {"telegram": {"apiRoot": fake.root, "accounts": accounts}}
    return ECHO | {"queue": queue, "channels": channels}


async def test_the_commands_of_the_readme_make_a_bot_that_answers(tmp_path: Path) -> None:
    commands = re.findall(r"^\.venv/bin/trunkline (.*telegram:mybot[^#\n]*)", README, re.MULTILINE)
    (add,) = (command.split() for command in commands)
    assert re.findall(
        r"^\.venv/bin/trunkline (pairing approve telegram) CODE", README, re.MULTILINE
    )
    assert add[:3] == ["channels", "add", "telegram:mybot"]
    assert add[3].startswith("botToken=")
    async with fake_telegram() as fake, Daemon(tmp_path, ECHO) as daemon:
        code, _, error = await daemon.command(
            *add[:3], f"botToken={token(1)}", f"apiRoot={fake.root}"
        )
        assert code == 0, error
        await daemon.wait_phase("telegram:mybot", "running")
        await fake.say(token(1), "hello")
        await fake.until(lambda: len(fake.bot(token(1)).texts) == 1, 30)
        await approve(daemon, "telegram", fake.bot(token(1)).texts[0])
        await fake.say(token(1), "hello again")
        await fake.until(lambda: fake.bot(token(1)).texts[1:] == ["echo: hello again"], 30)
        _, shown, _ = await daemon.command("channels", "describe", "telegram:mybot")
        assert "@fake1_bot" in shown
        kept = [
            daemon.output,
            *(each for each in (tmp_path / "state").rglob("*") if each.is_file()),
        ]
        assert not [each for each in kept if b"AAtoken" in each.read_bytes()]


async def test_a_killed_worker_loses_no_update_and_no_answer(tmp_path: Path) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake, 2)) as daemon:
        rows = [await daemon.wait_phase(f"telegram:bot{number}", "running") for number in (1, 2)]
        said = [f"message {number}" for number in range(60)]
        killed: list[int] = []
        async with watching(daemon) as watcher:
            for number, text in enumerate(said):
                for bot in (1, 2):
                    await fake.say(token(bot), text, chat=number + 1)  # each has its own pace
                if number in (10, 30, 50):
                    killed.append(await kill_next(daemon, "telegram:bot1", killed))
            await watcher.until(lambda: set(watcher.texts("telegram:bot1")) >= set(said))
            assert (await watcher.heard("telegram:bot2", count=len(said)))[: len(said)] == said
        await fake.until(lambda: not fake.bot(token(1)).updates)
        one, two = (fake.bot(token(number)) for number in (1, 2))
        # What was with a worker when it was killed is unknown, and not sent again.
        await answered_or_unknown(daemon, "telegram:bot1", said, lambda: one.texts, 60)
        assert await answered_or_unknown(daemon, "telegram:bot2", said, lambda: two.texts, 60) == []
        status = await daemon.status()
        assert status["accounts"]["telegram:bot2"]["pid"] == rows[1]["pid"]


async def test_faults_of_one_bot_stay_with_it(tmp_path: Path) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake, 3)) as daemon:
        for number in (1, 2, 3):
            await daemon.wait_phase(f"telegram:bot{number}", "running")
        fake.bot(token(1)).revoked = True
        fake.bot(token(2)).faults.append(ApiFault("getUpdates", code=409, times=-1))
        for number in (1, 2):
            await fake.say(token(number), "ends the poll that is under way")
        await daemon.wait(lambda status: "@BotFather" in str(status["accounts"]["telegram:bot1"]))
        row = await daemon.wait_phase("telegram:bot2", "running")
        await daemon.wait(
            lambda status: "another program polls" in str(status["accounts"]["telegram:bot2"])
        )
        await fake.say(token(3), "hello")
        await fake.until(lambda: fake.bot(token(3)).texts == ["echo: hello"], 30)
        fake.bot(token(2)).faults.clear()
        await fake.until(lambda: fake.bot(token(2)).texts, 30)
        assert (await daemon.status())["accounts"]["telegram:bot2"]["pid"] == row["pid"]

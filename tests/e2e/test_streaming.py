"""Answers that are shown while they are written: whatever dies, a person sees one message."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon
from tests.support.restarts import kill_gateway, kill_next
from tests.support.until import until
from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import token_of
from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.fakes.telegram import FakeTelegram, fake_telegram

pytestmark = pytest.mark.e2e

BEGINNING = "It begins here, and it takes a while."
ANSWER = f"{BEGINNING}\nAnd this is the end."
DIED = "The agent ended unexpectedly while it answered. Please try again."
PROGRAM = f"""
import pathlib, sys, time
sys.stdin.read()
print({BEGINNING!r}, flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
print("And this is the end.")
"""

TELEGRAM, DISCORD, SLACK = "110:AAtoken-of-a-fake-bot", token_of("10"), "xoxb-secretofthebot-1"


def telegram_shown(fake: FakeTelegram) -> list[str]:
    texts: dict[int, str] = {}
    for each in fake.bot(TELEGRAM).sent:
        if each.get("shown"):
            texts[int(each["message_id"])] = each["shown"]
    return list(texts.values())


def discord_shown(fake: FakeDiscord) -> list[str]:
    bot = fake.bot(DISCORD)
    messages = fake.messages.get(bot.direct, [])
    return [each["content"] for each in messages if each["author"]["id"] == bot.id]


def slack_shown(fake: FakeSlack) -> list[str]:
    messages = fake.channel("D1").messages
    return [each["text"] for each in messages if each.get("bot_id")]


FAKES: dict[str, tuple[Callable[[], Any], str, Callable[[Any], list[str]], dict[str, str]]] = {
    "telegram": (fake_telegram, TELEGRAM, telegram_shown, {"botToken": TELEGRAM}),
    "discord": (fake_discord, DISCORD, discord_shown, {"token": DISCORD}),
    "slack": (
        fake_slack,
        SLACK,
        slack_shown,
        {"botToken": SLACK, "appToken": "xapp-1-A1-secretoftheapp-1"},
    ),
}


def configuration(channel: str, root: str, fields: dict[str, str], gate: Path) -> dict[str, Any]:
    account = {"streaming": "edits", "dmPolicy": "open", "allowFrom": ["*"], **fields}
    command = [sys.executable, "-c", PROGRAM, str(gate)]
    return {
        "supervisor": {"restart": {"initialSeconds": 0.2}},
        "agents": {"default": "slow", "entries": {"slow": {"kind": "command", "command": command}}},
        "channels": {channel: {"apiRoot": root, "accounts": {"a": account}}},
    }


async def kill_worker(daemon: Daemon, channel: str) -> None:
    await kill_next(daemon, f"{channel}:a", [])


async def kill_agent(daemon: Daemon, channel: str) -> None:
    os.kill(agent(await daemon.status())["pid"], signal.SIGKILL)


async def kill_supervisor(daemon: Daemon, channel: str) -> None:
    daemon.kill()
    await daemon.start()


def agent(status: dict[str, Any]) -> dict[str, Any]:
    return next(dict(row) for row in status["agents"] if row["account"] == "agent:slow")


def is_stored(file: Path) -> bool:
    """Return whether a journal knows that the preview was sent."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as journal:
        return any("sent" in row for row in journal.execute("SELECT * FROM outgoing"))


KILLS: dict[str, Callable[[Daemon, str], Any]] = {
    "gateway": lambda daemon, channel: kill_gateway(daemon),
    "worker": kill_worker,
    "agent": kill_agent,
    "supervisor": kill_supervisor,
}
slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("channel", "killed"),
    [
        ("telegram", "gateway"),
        *(
            pytest.param(channel, killed, marks=slow)
            for channel in FAKES
            for killed in ("", *KILLS)
            if (channel, killed) != ("telegram", "gateway")
        ),
    ],
)
async def test_a_growing_answer_stays_one_message_over_kills(
    tmp_path: Path, channel: str, killed: str
) -> None:
    make, token, shown, fields = FAKES[channel]
    gate = tmp_path / "gate"
    async with make() as fake:
        config = configuration(channel, fake.root, fields, gate)
        async with Daemon(tmp_path, config) as daemon:
            await daemon.wait_phase(f"{channel}:a", "running")
            await daemon.wait(lambda status: agent(status)["phase"] == "running")
            await fake.say(token, "hello")
            await fake.until(lambda: shown(fake) == [BEGINNING], 120)
            if killed in ("worker", "supervisor"):  # else it is in doubt whether it has arrived
                await until(lambda: is_stored(tmp_path / "state" / "journal.db"), 60)
            if killed:
                await KILLS[killed](daemon, channel)
            gate.touch()
            expected = DIED if killed in ("agent", "supervisor") else ANSWER
            await fake.until(lambda: shown(fake) == [expected], 120)
            assert shown(fake) == [expected]

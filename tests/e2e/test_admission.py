"""Who may talk to an account, with the real daemon and a server that stands for Telegram's."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.admission import code_in
from tests.support.daemon import ECHO, Daemon
from tests.support.restarts import kill_gateway
from workers.testing.fakes.telegram import FakeTelegram, fake_telegram

pytestmark = pytest.mark.e2e

TOKEN = "1:AAtoken-of-a-fake-bot"
KEY = "telegram:main"


def configuration(fake: FakeTelegram, **fields: Any) -> dict[str, Any]:
    account = {"botToken": TOKEN, "dmPolicy": "pairing", **fields}
    section = {"apiRoot": fake.root, "dmPolicy": "pairing", "accounts": {"main": account}}
    return ECHO | {"channels": {"telegram": section}}


async def printed(daemon: Daemon, *words: str) -> str:
    """Return what a command prints, which must not fail."""
    code, out, error = await daemon.command(*words)
    assert code == 0, error
    return out


async def code_of(fake: FakeTelegram) -> str:
    """Return the code in the only message that was sent so far."""
    await fake.until(lambda: bool(fake.bot(TOKEN).texts), 30)
    (text,) = fake.bot(TOKEN).texts
    return code_in(text)


async def test_a_stranger_pairs_and_stays_admitted_over_kills_of_everything(tmp_path: Path) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake)) as daemon:
        await daemon.wait_phase(KEY, "running")
        await fake.say(TOKEN, "hello")
        code = await code_of(fake)
        await kill_gateway(daemon)
        await fake.say(TOKEN, "are you there?")
        shown = await printed(daemon, "pairing", "list")
        assert KEY in shown
        assert code not in shown
        assert "may talk" in await printed(daemon, "pairing", "approve", "telegram", code)
        await fake.say(TOKEN, "now?")
        await fake.until(lambda: fake.bot(TOKEN).texts[1:] == ["echo: now?"], 30)
        daemon.kill()
        await daemon.start()
        await daemon.wait_phase(KEY, "running")
        await fake.say(TOKEN, "and now?")
        await fake.until(lambda: fake.bot(TOKEN).texts[2:] == ["echo: and now?"], 30)
        sender = json.loads(await printed(daemon, "pairing", "list", "--json"))["people"][0][
            "senderId"
        ]
        why = await printed(daemon, "channels", "why", KEY, sender)
        assert "the sender was approved" in why
        await printed(daemon, "pairing", "block", KEY, sender)
        assert "blocked" in await printed(daemon, "channels", "why", KEY, sender)


async def test_a_changed_policy_counts_at_once_and_restarts_nothing(tmp_path: Path) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake)) as daemon:
        row = await daemon.wait_phase(KEY, "running")
        await fake.say(TOKEN, "hello")
        await code_of(fake)
        daemon.write(configuration(fake, dmPolicy="open"))
        os.kill(daemon.pid, signal.SIGHUP)

        async def is_open() -> bool:
            return "anybody is answered" in await printed(daemon, "channels", "why", KEY, "9")

        while not await is_open():
            pass
        await fake.say(TOKEN, "now?")
        await fake.until(lambda: fake.bot(TOKEN).texts[1:] == ["echo: now?"], 30)
        assert (await daemon.status())["accounts"][KEY]["pid"] == row["pid"]


async def test_while_the_gateway_is_down_pairing_commands_say_so(tmp_path: Path) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake)) as daemon:
        await daemon.wait_phase(KEY, "running")
        await daemon.call("gateway.stop")
        code, _, error = await daemon.command("pairing", "approve", "ABCD2345")
        assert code == 3
        assert error.strip()


async def test_the_start_names_accounts_that_answer_nobody_once(tmp_path: Path) -> None:
    async with fake_telegram() as fake, Daemon(tmp_path, configuration(fake)) as daemon:
        await daemon.wait_phase(KEY, "running")
        logged = await printed(daemon, "logs", "supervisor")
        assert logged.count(f"{KEY}: no message in a group is answered") == 1
        described = await printed(daemon, "channels", "describe", KEY)
        assert "direct: pairing" in described
        assert "no message in a group is answered" in described

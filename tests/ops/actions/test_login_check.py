"""What a platform says of a login before it is configured, at servers that stand for platforms."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ops.actions.login_check import LoginVerdict, ask_platform
from workers.plugin import Manifest
from workers.registry import manifests
from workers.testing.fakes.discord import fake_discord
from workers.testing.fakes.discord_bots import token_of
from workers.testing.fakes.slack import fake_slack
from workers.testing.fakes.telegram import ApiFault, fake_telegram
from workers.testing.ports import free_port

TOKEN = "123456:AAF2-abc"


async def asked(manifest: Manifest, **fields: Any) -> LoginVerdict | None:
    return await asyncio.to_thread(ask_platform, manifest, fields)


async def test_a_login_at_telegram_is_checked() -> None:
    telegram = manifests()["telegram"].manifest
    async with fake_telegram() as fake:
        given = {"apiRoot": fake.root, "botToken": TOKEN, "enabled": True}
        assert await asked(telegram, **given) == LoginVerdict("right", "@fake123456_bot (Fake)")
        fake.bot(TOKEN).revoked = True
        answer = await asked(telegram, **given)
        assert answer is not None
        assert answer.outcome == "refused"
        assert "Unauthorized (401)" in answer.words
        assert "@BotFather" in answer.words
        assert TOKEN not in answer.words
        fake.bot(TOKEN).revoked = False
        fake.bot(TOKEN).faults = [ApiFault("getMe", code=502, times=-1)]
        answer = await asked(telegram, **given)
        assert answer is not None
        assert (answer.outcome, "(502)" in answer.words) == ("unknown", True)


async def test_a_platform_that_cannot_be_reached_is_not_a_wrong_token() -> None:
    telegram = manifests()["telegram"].manifest
    root = f"http://127.0.0.1:{free_port()}"
    answer = await asked(telegram, apiRoot=root, botToken=TOKEN)
    assert answer is not None
    assert answer.outcome == "unknown"
    assert TOKEN not in answer.words
    through = await asked(telegram, apiRoot="http://a.invalid", botToken=TOKEN, proxy=root)
    assert through is not None
    assert through.outcome == "unknown"


async def test_a_reference_is_resolved_and_one_that_cannot_be_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    telegram = manifests()["telegram"].manifest
    async with fake_telegram() as fake:
        given = {"apiRoot": fake.root, "botToken": {"source": "env", "id": "BOT_TOKEN"}}
        answer = await asked(telegram, **given)
        assert answer is not None
        assert (answer.outcome, "BOT_TOKEN" in answer.words) == ("unknown", True)
        monkeypatch.setenv("BOT_TOKEN", TOKEN)
        answer = await asked(telegram, **given)
        assert answer is not None
        assert answer.outcome == "right"


async def test_a_channel_without_such_a_question_is_not_asked() -> None:
    assert await asked(manifests()["webhook"].manifest, secret="x") is None


async def test_discord_and_slack_say_it_in_their_words() -> None:
    known = manifests()
    async with fake_discord() as discord, fake_slack() as slack:
        token = token_of("110")
        given = {"apiRoot": discord.root, "token": token}
        answer = await asked(known["discord"].manifest, **given)
        assert answer is not None
        assert answer.outcome == "right", answer
        answer = await asked(known["discord"].manifest, **given | {"token": f"{token}x"})
        assert answer is not None
        assert (answer.outcome, "401" in answer.words) == ("refused", True), answer
        given = {"apiRoot": slack.root, "botToken": "xoxb-x-1", "appToken": "xapp-1-A1-x-1"}
        answer = await asked(known["slack"].manifest, **given)
        assert answer is not None
        assert answer.outcome == "right", answer
        slack.app("xapp-1-A1-x-1").error = "token_revoked"
        answer = await asked(known["slack"].manifest, **given)
        assert answer is not None
        assert (answer.outcome, "token_revoked" in answer.words) == ("refused", True), answer
        crossed = {"botToken": given["appToken"], "appToken": given["botToken"]}
        answer = await asked(known["slack"].manifest, **given | crossed)
        assert answer is not None
        assert answer.outcome == "refused", answer

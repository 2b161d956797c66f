from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workers.channels.discord.running_bot import (
    TOKEN,
    message,
    running,
    running_alone,
    starting,
)
from workers.errors import Misconfigured, SendFailed
from workers.messages import Action, Chat
from workers.testing.fakes.discord import fake_discord


async def test_a_bot_reports_its_identity(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        assert bot.ctx.named == "110"
        assert bot.ctx.fields["detail"] == "@fake110"
        assert bot.ctx.fields["connected"] is True
        probed = await bot.plugin.probe()
        assert probed == {"ok": True, "bot": {"id": "110", "username": "fake110"}}


async def test_what_is_no_token_is_refused_before_anything_is_called(tmp_path: Path) -> None:
    async with fake_discord() as fake, starting(fake, tmp_path, token="x") as bot:
        error = await bot.ending()
        assert isinstance(error, Misconfigured)
        assert error.final
        assert "Reset Token" in str(error)


async def test_before_the_login_nothing_is_sent(tmp_path: Path) -> None:
    async with fake_discord() as fake, starting(fake, tmp_path) as bot:
        with pytest.raises(SendFailed) as found:
            await bot.plugin.send(message("x", "1"))
        assert found.value.reason == "unavailable"
        assert (await bot.plugin.probe())["ok"] is False


async def test_a_bot_sends_and_acts(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        sent = await bot.plugin.send(message("hi", bot.bot.general))
        await bot.plugin.edit(Action("edit", "k", message=sent.id, text="better"))
        await bot.plugin.react(Action("react", "k", message=sent.id, emoji="👍"))
        await bot.plugin.typing(Action("typing", "k", chat=bot.bot.general, thread=bot.bot.thread))
        await bot.plugin.typing(Action("typing", "k", chat=bot.bot.general, remove=True))
        await bot.plugin.delete(Action("delete", "k", message=sent.id))
        assert [each["route"].split()[0] for each in bot.bot.sent] == [
            "POST", "PATCH", "PUT", "POST", "DELETE"
        ]  # fmt: skip


async def test_a_message_may_be_named_by_the_number_that_discord_gave_it(tmp_path: Path) -> None:
    async with fake_discord() as fake, running(fake, tmp_path) as bot:
        general = bot.bot.general
        sent = await bot.plugin.send(message("x", general))
        own: dict[str, Any] = {"chat": f"channel:{general}", "message": sent.id.rpartition("/")[2]}
        await bot.plugin.edit(Action("edit", "k", text="better", **own))
        await bot.plugin.react(Action("react", "k", emoji="👍", **own))
        before = Action("history", "k", chat=general, before=own["message"])
        assert await bot.plugin.history(before) == []
        await bot.plugin.send(message("so", general, key="k2", reply_to=own["message"]))
        reference = bot.bot.sent[-1]["message_reference"]
        assert (reference["channel_id"], reference["message_id"]) == (general, own["message"])
        await bot.plugin.delete(Action("delete", "k", **own))
        assert [each["route"].split()[0] for each in bot.bot.sent] == [
            "POST", "PATCH", "PUT", "POST", "DELETE"
        ]  # fmt: skip


async def test_a_chat_and_its_history_are_read(tmp_path: Path) -> None:
    async with fake_discord() as fake:
        async with running(fake, tmp_path) as first:
            await first.say("one", first.bot.general)
            await first.ctx.message("one")
            cursor = first.ctx.cursor
        async with running(fake, tmp_path, cursor) as bot:  # it resumes, and knows no channel
            general = bot.bot.general
            chat = await bot.plugin.chat(Action("chat", "k", chat=general))
            assert chat == Chat(general, "group", "general")
            (found,) = await bot.plugin.history(Action("history", "k", chat=general, limit=5))
            assert (found.text, found.chat) == ("one", chat)
            assert found.meta == {"guild": bot.bot.guild}
            await fake.say(TOKEN, "planned", bot.bot.thread)
            thread = Action("history", "k", chat=general, thread=bot.bot.thread)
            (found,) = await bot.plugin.history(thread)
            assert (found.text, found.thread) == ("planned", bot.bot.thread)


async def test_its_end_keeps_the_session(tmp_path: Path) -> None:
    async with fake_discord() as fake:
        async with running(fake, tmp_path):
            pass
        await fake.until(lambda: fake.bot(TOKEN).closes)
        assert fake.bot(TOKEN).closes == [4000]

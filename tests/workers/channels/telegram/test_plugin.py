from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.channels.telegram.running_bot import TOKEN, message, running, starting
from workers.channels.telegram.plugin import Telegram
from workers.errors import ChannelError, Misconfigured, NeedsLogin, SendFailed, Transient
from workers.testing.fakes.telegram import ApiFault, fake_telegram
from workers.testing.ports import free_port


async def test_it_is_ready_when_telegram_knows_the_bot(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        assert bot.ctx.named == "110"
        assert bot.ctx.fields["connected"] is True
        assert bot.ctx.fields["detail"] == "@fake110_bot"


async def test_a_bot_answers_in_a_topic_of_a_group(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        mention = [{"type": "mention", "offset": 0, "length": 12}]
        topic = {"message_thread_id": 9, "is_topic_message": True}
        await bot.say("@fake110_bot hello", -100, entities=mention, **topic)
        heard = await bot.ctx.message("hello")
        assert heard.addressed
        await bot.plugin.send(message("hi", heard.chat.id, thread=heard.thread, reply_to=heard.id))
        (sent,) = bot.bot.sent
        assert (sent["chat_id"], sent["message_thread_id"]) == ("-100", 9)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (ApiFault("getMe", code=401), NeedsLogin),
        (ApiFault("getMe", code=404), NeedsLogin),
        (ApiFault("getMe", code=500), Transient),
        (ApiFault("getMe", html=True), Transient),
        (ApiFault("getMe", drop="before"), Transient),
    ],
)
async def test_a_start_that_fails_says_why(
    tmp_path: Path, fault: ApiFault, kind: type[ChannelError]
) -> None:
    async with fake_telegram() as fake:
        fake.bot(TOKEN).faults.append(fault)
        async with starting(fake, tmp_path) as bot:
            error = await bot.ending()
            assert type(error) is kind
            assert TOKEN not in str(error)
            assert not bot.ctx.is_ready


async def test_a_server_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    root = f"http://127.0.0.1:{free_port()}"
    async with fake_telegram() as fake, starting(fake, tmp_path, apiRoot=root) as bot:
        error = await bot.ending()
        assert isinstance(error, Transient)
        assert "Connection refused by 127.0.0.1" in str(error)


async def test_what_is_no_token_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    async with fake_telegram() as fake, starting(fake, tmp_path, botToken="hunter2") as bot:
        error = await bot.ending()
        assert isinstance(error, Misconfigured)
        assert error.final
        assert "hunter2" not in str(error)


async def test_before_it_is_ready_nothing_is_sent(tmp_path: Path) -> None:
    async with fake_telegram() as fake:
        fake.bot(TOKEN).faults.append(ApiFault("getMe", slow=5))
        async with starting(fake, tmp_path) as bot:
            with pytest.raises(SendFailed, match="not logged in") as found:
                await bot.plugin.send(message("x"))
            assert found.value.retryable
            assert await bot.plugin.probe() == {"ok": False, "error": "not connected"}


async def test_a_probe_asks_telegram(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        assert (await bot.plugin.probe())["bot"] == {
            "id": "110",
            "username": "fake110_bot",
            "name": "Fake",
        }
        bot.bot.revoked = True
        with pytest.raises(NeedsLogin):
            await bot.plugin.probe()


def test_the_ids_of_groups_are_negative() -> None:
    assert Telegram.is_group("-100123")
    assert not Telegram.is_group("123")

"""The fake server, driven by python-telegram-bot: a fake and a client by one hand prove nothing."""

from __future__ import annotations

import asyncio

import pytest
import telegram
from telegram import error
from telegram.constants import ParseMode
from telegram.request import HTTPXRequest

from workers.testing.fakes.telegram import CONFLICT, ApiFault, FakeTelegram, fake_telegram

TOKEN = "42:fake_token-of-the-tests"


def client(fake: FakeTelegram, token: str = TOKEN) -> telegram.Bot:
    request = HTTPXRequest(read_timeout=10, connect_timeout=5)
    polling = HTTPXRequest(read_timeout=10, connect_timeout=5)
    base = f"{fake.root}/bot"
    return telegram.Bot(token, base_url=base, request=request, get_updates_request=polling)


async def test_a_foreign_client_logs_in_and_chats() -> None:
    async with fake_telegram() as fake, client(fake) as bot:
        assert bot.username == "fake42_bot"
        said = await fake.say(TOKEN, "hello", chat=-5)
        (update,) = await bot.get_updates(timeout=5)
        assert update.message is not None
        assert update.message.text == "hello"
        assert update.message.chat.type == "supergroup"
        assert update.message.message_id == said["message_id"]
        sent = await bot.send_message(-5, "<b>hi</b> &amp; bye", parse_mode=ParseMode.HTML)
        assert sent.text == "hi & bye"
        edited = await bot.edit_message_text("better", -5, sent.message_id)
        assert isinstance(edited, telegram.Message)
        assert edited.message_id == sent.message_id
        assert await bot.set_message_reaction(-5, sent.message_id, "👍")
        assert await bot.send_chat_action(-5, "typing")
        assert (await bot.get_chat(-5)).title == "Room"
        assert (await bot.send_poll(-5, "which?", ["a", "b"])).chat.id == -5
        assert await bot.delete_message(-5, sent.message_id)
        assert fake.bot(TOKEN).texts == ["hi & bye", "better"]


async def test_a_foreign_client_sends_files() -> None:
    async with fake_telegram() as fake, client(fake) as bot:
        await bot.send_document(7, b"12345", filename="a.txt", caption="see")
        await bot.send_photo(7, "https://a.example/b.png")
        document, photo = fake.bot(TOKEN).sent
        assert document["document"] == {"name": "a.txt", "size": 5}
        assert photo["photo"] == "https://a.example/b.png"


async def test_an_update_stays_until_a_later_one_is_asked_for() -> None:
    async with fake_telegram() as fake, client(fake) as bot:
        for text in ("one", "two"):
            await fake.say(TOKEN, text)
        first, second = await bot.get_updates()
        assert [each.update_id for each in await bot.get_updates()] == [
            first.update_id,
            second.update_id,
        ]
        assert await bot.get_updates(offset=second.update_id) == (second,)
        assert await bot.get_updates(offset=second.update_id + 1) == ()


async def test_the_second_poll_ends_the_first() -> None:
    async with fake_telegram() as fake, client(fake) as one, client(fake) as other:
        first = asyncio.create_task(one.get_updates(timeout=5))
        await fake.until(lambda: fake.bot(TOKEN).poll)
        second = asyncio.create_task(other.get_updates(timeout=5))
        with pytest.raises(error.Conflict) as found:
            await first
        assert found.value.message == CONFLICT
        await fake.say(TOKEN, "x")
        assert len(await second) == 1


async def test_a_webhook_excludes_polls() -> None:
    async with fake_telegram() as fake, client(fake) as bot:
        await bot.set_webhook("https://a.example/hook")
        with pytest.raises(error.Conflict):
            await bot.get_updates()
        assert (await bot.get_webhook_info()).url == "https://a.example/hook"
        await bot.delete_webhook()
        assert await bot.get_updates() == ()


async def test_texts_are_refused_as_telegram_does() -> None:
    async with fake_telegram() as fake, client(fake) as bot:
        await bot.send_message(7, "😀" * 2048)
        for text, words in (("😀" * 2049, "too long"), (" ", "empty")):
            with pytest.raises(error.BadRequest, match=words):
                await bot.send_message(7, text)
        with pytest.raises(error.BadRequest, match="parse entities"):
            await bot.send_message(7, "<b>x", parse_mode=ParseMode.HTML)
        sent = await bot.send_message(7, "same")
        with pytest.raises(error.BadRequest, match="not modified"):
            await bot.edit_message_text("same", 7, sent.message_id)


async def test_faults_look_to_a_foreign_client_like_telegram_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # else it warns
    async with fake_telegram() as fake, client(fake) as bot:
        faults = fake.bot(TOKEN).faults
        for fault, kind in (
            (ApiFault("sendMessage", code=429, retry_after=5), error.RetryAfter),
            (ApiFault("sendMessage", code=403), error.Forbidden),
            (ApiFault("sendMessage", code=400, migrate_to=-9), error.ChatMigrated),
            (ApiFault("sendMessage", html=True), error.NetworkError),
            (ApiFault("sendMessage", drop="before"), error.NetworkError),
        ):
            faults.append(fault)
            with pytest.raises(kind):
                await bot.send_message(7, "x")
        assert fake.bot(TOKEN).sent == []
        faults.append(ApiFault(drop="after"))
        with pytest.raises(error.NetworkError):
            await bot.send_message(7, "sent all the same")
        assert fake.bot(TOKEN).texts == ["sent all the same"]
        fake.bot(TOKEN).revoked = True
        with pytest.raises(error.InvalidToken):
            await bot.get_me()


async def test_a_server_that_is_down_does_not_answer() -> None:
    async with fake_telegram() as fake, client(fake) as bot:
        fake.down = True
        with pytest.raises(error.NetworkError):
            await bot.get_me()
        fake.down = False
        assert (await bot.get_me()).id == 42

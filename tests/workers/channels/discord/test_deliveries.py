from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ipc.frames.bootstrap import MediaBoot
from tests.support.short_directory import ShortDirectory
from tests.workers.channels.discord.running_bot import TOKEN, discord_api, message
from workers.channels.discord.deliveries import DiscordDeliveries, nonce_of, poll_of
from workers.errors import MaybeSent, SendFailed
from workers.media.store import MediaStore
from workers.messages import Attachment, Button, Poll
from workers.testing.fakes.discord import FakeDiscord, fake_discord
from workers.testing.fakes.discord_bots import FakeDiscordBot, RestFault


@asynccontextmanager
async def deliveries() -> AsyncIterator[tuple[DiscordDeliveries, FakeDiscordBot, FakeDiscord]]:
    with ShortDirectory() as place:
        async with fake_discord() as fake, discord_api(fake) as api:
            out = DiscordDeliveries(api, MediaStore(MediaBoot(str(place))))
            yield out, fake.bot(TOKEN), fake


async def test_a_message_goes_with_its_nonce_and_without_mass_mentions() -> None:
    async with deliveries() as (out, bot, _):
        sent = await out.send(message("@everyone hi", bot.general, markup="markdown"))
        (body,) = bot.sent
        assert body["content"] == "@everyone hi"
        assert body["allowed_mentions"] == {"parse": ["users"], "replied_user": True}
        assert body["enforce_nonce"] is True
        assert len(body["nonce"]) <= 25
        assert (sent.id, sent.chat, sent.parts) == (f"{bot.general}/{body['id']}", bot.general, 1)
        again = await out.send(message("@everyone hi", bot.general, markup="markdown"))
        assert again.id == sent.id
        assert len(bot.texts) == 1, "the same key is the same message, for Discord too"


async def test_plain_text_mentions_nobody() -> None:
    async with deliveries() as (out, bot, _):
        await out.send(message("<@7>", bot.general))
        assert bot.sent[0]["allowed_mentions"] == {"parse": [], "replied_user": True}


def test_nonces_differ_by_key_and_part_and_not_by_process() -> None:
    keys = [("k", 0), ("k", 1), ("k/1", 0), ("k/2", 0), ("é" * 500, 0), ("\ud800", 0)]
    nonces = [nonce_of(*key) for key in keys]
    assert len(set(nonces)) == len(keys)
    assert all(len(each) == 24 for each in nonces)


async def test_replies_threads_silence_and_buttons() -> None:
    async with deliveries() as (out, bot, _):
        rows = [[Button("Yes", data="y"), Button("See", url="https://a.example")]]
        sent = await out.send(
            message(
                "x",
                bot.general,
                thread=bot.thread,
                reply_to=f"{bot.thread}/55",
                silent=True,
                buttons=rows,
            )
        )
        assert sent.chat == bot.general
        (body,) = bot.sent
        assert body["channel"] == bot.thread
        reference = {"channel_id": bot.thread, "message_id": "55", "fail_if_not_exists": False}
        assert body["message_reference"] == reference
        assert body["flags"] == 4096
        (row,) = body["components"]
        assert [(each["style"], each["label"]) for each in row["components"]] == [
            (2, "Yes"),
            (5, "See"),
        ]
        assert row["components"][0]["custom_id"] == "y"


async def test_a_person_is_written_to_by_number() -> None:
    async with deliveries() as (out, bot, _):
        for key in ("a", "b"):
            sent = await out.send(message("hi", "user:7", key=key))
            assert sent.chat == bot.direct
        await out.typing("user:7")
        assert bot.sent[-1]["route"] == "POST typing"  # an unknown channel is refused
        assert bot.calls["POST /users/@me/channels"] == 1
        await out.send(message("hi", f"channel:{bot.general}", key="c"))
        assert bot.sent[-1]["channel"] == bot.general


async def test_files_are_sent_ten_at_a_time() -> None:
    async with deliveries() as (out, bot, _):
        stored = await out._media.save(b"12345", type="text/plain")  # the store that it has
        files = [Attachment(stored.url, name=f'"\n{n}.txt') for n in range(11)]
        sent = await out.send(message("see", bot.direct, attachments=files))
        assert sent.parts == 2
        first, second = bot.sent
        assert [len(each["files"]) for each in (first, second)] == [10, 1]
        assert first["attachments"][0] == {"id": 0, "filename": "__0.txt"}
        assert (first["content"], second["content"]) == ("see", "")
        bot.faults += [RestFault("nothing"), RestFault("POST", slow=0.0)]
        bot.faults.append(RestFault("POST", status=403))
        with pytest.raises(MaybeSent, match="1 of 2 messages"):
            await out.send(message("see", bot.direct, attachments=files, key="other"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"buttons": [[Button("x" * 81)]]}, "invalid"),
        ({"buttons": [[Button("x", data="y" * 101)]]}, "invalid"),
        ({"attachments": [Attachment(f"media:{'0' * 32}")]}, "not_found"),
        ({"poll": Poll("q", ["a"] * 11)}, "invalid"),
        ({"poll": Poll("q" * 301, ["a", "b"])}, "invalid"),
        ({"poll": Poll("q", ["a" * 56, "b"])}, "invalid"),
        ({"to": "general"}, "invalid"),
        ({"to": "1"}, "not_found"),
        ({"text": "x" * 2001}, "invalid"),
    ],
)
async def test_what_discord_does_not_take_is_refused(
    fields: dict[str, object], reason: str
) -> None:
    async with deliveries() as (out, bot, _):
        known = {"text": "x", "to": bot.direct} | fields
        with pytest.raises(SendFailed) as found:
            await out.send(message(**known))  # type: ignore[arg-type]
        assert found.value.reason == reason
        assert bot.sent == []


def test_a_poll_is_open_for_whole_hours() -> None:
    assert poll_of(Poll("q", ["a", "b"], seconds=3601))["duration"] == 2
    made = poll_of(Poll("q", ["a", "b"], multiple=True))
    assert made["allow_multiselect"] is True
    assert [each["poll_media"]["text"] for each in made["answers"]] == ["a", "b"]


async def test_a_limit_says_when_and_for_what() -> None:
    async with deliveries() as (out, bot, _):
        bot.faults.append(RestFault("POST", status=429, retry_after=61.5, everywhere=True))
        with pytest.raises(SendFailed) as found:
            await out.send(message("x", bot.direct))
        error = found.value
        assert (error.reason, error.retry_after, error.scope) == ("rate_limited", 61.5, "account")


async def test_a_cut_answer_is_unknown_and_repeated_it_is_sent_once() -> None:
    async with deliveries() as (out, bot, _):
        bot.faults.append(RestFault("POST", drop="after"))
        with pytest.raises(MaybeSent):
            await out.send(message("x", bot.direct))
        await out.send(message("x", bot.direct))
        assert bot.texts == ["x"]


async def test_edits_deletion_reactions_and_typing() -> None:
    async with deliveries() as (out, bot, _):
        sent = await out.send(message("x", bot.direct))
        number = sent.id.rpartition("/")[2]
        await out.edit(sent.id, "better", "markdown")
        await out.react(sent.id, "👍", remove=False)
        await out.react(sent.id, "<:custom:12>", remove=True)
        await out.typing(bot.direct)
        await out.delete(sent.id)
        await out.delete(sent.id)  # it is gone, as is wanted
        assert [each["route"] for each in bot.sent[1:]] == [
            f"PATCH messages {number}",
            f"PUT messages {number} reactions 👍 @me",
            f"DELETE messages {number} reactions custom:12 @me",
            "POST typing",
            f"DELETE messages {number}",
        ]
        assert bot.sent[1]["allowed_mentions"] == {"parse": ["users"], "replied_user": True}
        for wrong in ("5", "a/b"):
            with pytest.raises(SendFailed, match="not the id of a message"):
                await out.edit(wrong, "x", "plain")
        with pytest.raises(SendFailed, match="an emoji is needed"):
            await out.react(sent.id, None, remove=False)


async def test_a_message_of_others_is_not_edited() -> None:
    async with deliveries() as (out, bot, fake):
        said = await fake.say(TOKEN, "theirs")
        with pytest.raises(SendFailed) as found:
            await out.edit(f"{bot.direct}/{said['id']}", "mine", "plain")
        assert found.value.reason == "forbidden"


async def test_history_is_read_in_pages_the_oldest_first() -> None:
    async with deliveries() as (out, bot, fake):
        said = [await fake.say(TOKEN, str(number)) for number in range(130)]
        found = await out.history(bot.direct, None, 120)
        assert [each.content for each in found] == [str(number) for number in range(10, 130)]
        before = f"{bot.direct}/{said[3]['id']}"
        found = await out.history(bot.direct, before, 50)
        assert [each.content for each in found] == ["0", "1", "2"]

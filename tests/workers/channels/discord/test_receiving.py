from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workers.channels.discord.running_bot import TOKEN, running, running_alone
from workers.channels.discord import missed, receiving
from workers.channels.discord.objects import snowflake_at
from workers.testing.fakes import discord_objects as made
from workers.testing.fakes.discord import fake_discord


async def test_messages_arrive_with_their_place(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        said = await bot.say("directly")
        found = await bot.ctx.message("directly")
        assert (found.id, found.chat.kind) == (f"{bot.bot.direct}/{said['id']}", "direct")
        assert found.addressed
        assert (found.sender.id, found.sender.name, found.sender.verified) == ("7", "Ada", True)
        named = [made.bot_user("110")]
        text = f"<@{bot.bot.id}> see <#{bot.bot.general}>"
        await bot.say(text, bot.bot.thread, mentions=named)
        found = await bot.ctx.message("see")
        assert found.text == "@fake110 see #general"
        assert (found.chat.id, found.chat.title) == (bot.bot.general, "general")
        assert (found.thread, found.addressed, found.mentions) == (bot.bot.thread, True, ["110"])


async def test_edits_deletions_reactions_and_presses(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        said = await bot.say("frist")
        await bot.ctx.message("frist")
        unfurled = said | {"embeds": [{"title": "a page"}]}
        await bot.fake.dispatch(TOKEN, "MESSAGE_UPDATE", unfurled)
        edited = said | {"content": "first", "edited_timestamp": made.timestamp()}
        await bot.fake.dispatch(TOKEN, "MESSAGE_UPDATE", edited)
        found = await bot.ctx.message("first")
        assert found.edits == f"{bot.bot.direct}/{said['id']}"
        assert found.id.startswith(f"{found.edits}/edit/")
        assert not found.addressed
        place = {"channel_id": bot.bot.direct, "message_id": said["id"], "user_id": "7"}
        emoji = {"emoji": {"id": None, "name": "👍"}}
        await bot.fake.dispatch(TOKEN, "MESSAGE_REACTION_ADD", place | emoji)
        await bot.fake.dispatch(TOKEN, "MESSAGE_REACTION_REMOVE", place | emoji)
        await bot.fake.dispatch(TOKEN, "MESSAGE_REACTION_ADD", place | emoji | {"user_id": "110"})
        await bot.fake.dispatch(TOKEN, "MESSAGE_POLL_VOTE_ADD", place | {"answer_id": 2})
        gone = {"id": said["id"], "channel_id": bot.bot.direct}
        await bot.fake.dispatch(TOKEN, "MESSAGE_DELETE", gone)
        await bot.ctx.until(lambda ctx: len(ctx.happened) >= 4)
        kinds = [(each.kind, each.emoji, each.removed) for each in bot.ctx.happened]
        assert kinds == [
            ("reaction", "👍", False),
            ("reaction", "👍", True),
            ("voted", None, False),
            ("deleted", None, False),
        ]
        assert len({each.id for each in bot.ctx.happened}) == 4
        assert [each.text for each in bot.ctx.emitted] == ["are you there", "frist", "first"]


async def test_a_button_is_answered_when_its_press_is_stored(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        message = made.message(bot.bot.direct, made.bot_user("110"), "which?")
        press = {
            "id": made.new_id(),
            "token": "interaction-token",
            "type": 3,
            "channel_id": bot.bot.direct,
            "user": made.ADA,
            "message": message,
            "data": {"custom_id": "yes", "component_type": 2},
        }
        bot.ctx.taking.clear()
        await bot.fake.dispatch(TOKEN, "INTERACTION_CREATE", press)
        await bot.say("behind it")
        assert bot.bot.sent == []
        bot.ctx.taking.set()
        await bot.fake.until(lambda: bot.bot.sent)
        assert bot.bot.sent[0]["type"] == 6
        (pressed,) = bot.ctx.happened
        assert (pressed.kind, pressed.data, pressed.message) == (
            "pressed",
            "yes",
            f"{bot.bot.direct}/{message['id']}",
        )
        assert "interaction-token" not in repr(bot.ctx.logged)


async def test_channels_and_threads_that_change_are_told_of(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        guild, general = bot.bot.guild, bot.bot.general
        renamed = made.text_channel(general, guild, "lounge")
        await bot.fake.dispatch(TOKEN, "CHANNEL_UPDATE", renamed)
        # Nothing that is shown has changed.
        await bot.fake.dispatch(TOKEN, "CHANNEL_UPDATE", renamed)
        await bot.fake.dispatch(TOKEN, "THREAD_CREATE", made.thread("77", guild, general, "new"))
        gone = {"id": "77", "guild_id": guild, "parent_id": general, "type": 11}
        await bot.fake.dispatch(TOKEN, "THREAD_DELETE", gone)
        await bot.ctx.until(lambda ctx: len(ctx.happened) >= 3)
        told = [(each.chat.id, each.chat.title, each.removed) for each in bot.ctx.happened]
        assert told == [(general, "lounge", False), ("77", "new", False), ("77", "new", True)]
        assert {each.kind for each in bot.ctx.happened} == {"chat"}


async def test_typing_is_told_of_direct_messages(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        typing = {"channel_id": bot.bot.direct, "user_id": "7", "timestamp": 1_800_000_000}
        await bot.fake.dispatch(TOKEN, "TYPING_START", typing)
        await bot.ctx.until(lambda ctx: bool(ctx.happened))
        (event,) = bot.ctx.happened
        assert (event.kind, event.chat.kind, event.ts) == ("typing", "direct", 1_800_000_000_000)


async def test_text_that_the_bot_may_not_read_is_said_once(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        await bot.say("", bot.bot.general)
        await bot.say("", bot.bot.general)
        await bot.say("after")
        await bot.ctx.message("after")
        assert len([each for each in bot.events() if "MESSAGE CONTENT INTENT" in each]) == 1
        assert "MESSAGE CONTENT INTENT" in bot.ctx.fields["lastError"]


async def test_what_is_not_understood_is_passed_over(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        await bot.fake.dispatch(TOKEN, "MESSAGE_CREATE", {"id": 5})
        await bot.fake.dispatch(TOKEN, "SOMETHING_NEW", {"x": [1]})
        await bot.say("after")
        await bot.ctx.message("after")
        assert bot.events() == ["an event is not understood"]


async def test_an_event_that_comes_twice_is_handed_on_once(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        bot.bot.twice = True
        await bot.say("one")
        await bot.say("two")
        await bot.ctx.message("two")
        texts = [each.text for each in bot.ctx.emitted]
        assert texts == ["are you there", "one", "two"]


async def test_its_own_messages_are_not_handed_on(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        own = made.message(bot.bot.direct, made.bot_user("110"), "mine")
        await bot.fake.dispatch(TOKEN, "MESSAGE_CREATE", own)
        await bot.say("yours")
        await bot.ctx.message("yours")
        assert [each.text for each in bot.ctx.emitted] == ["are you there", "yours"]


async def interrupted(tmp_path: Path, said: Any) -> tuple[list[str], list[dict[str, Any]], Any]:
    """Run a bot, forget its session, let ``said`` happen, run it again; return what it heard."""
    async with fake_discord() as fake:
        async with running(fake, tmp_path) as first:
            await first.say("before")
            await first.ctx.message("before")
            cursor = first.ctx.cursor
        fake.gateway.forget(fake.bot(TOKEN))
        await said(first)
        async with running(fake, tmp_path, cursor) as second:
            await second.ctx.until(lambda ctx: ctx.cursor != cursor)  # all of it is read
            await second.say("after")
            await second.ctx.message("after")
            return [each.text for each in second.ctx.emitted], second.ctx.logged, second.ctx


async def test_after_a_lost_session_what_was_missed_is_read_from_the_channels(
    tmp_path: Path,
) -> None:
    async def said(bot: Any) -> None:
        for number in range(3):
            await bot.say(f"direct {number}")
            await bot.say(f"general {number}", bot.bot.general)
            await bot.say(f"thread {number}", bot.bot.thread)
            await bot.say(f"hidden {number}", bot.bot.hidden)

    texts, logged, ctx = await interrupted(tmp_path, said)
    # "before" may be as new as what was missed: it is read again, and the journal drops it.
    assert texts[0] == "before"
    for where in ("direct", "general", "thread"):
        assert [each for each in texts if where in each] == [f"{where} {n}" for n in range(3)]
    assert not [each for each in texts if "hidden" in each]
    assert texts[-1] == "after"
    assert not [each for each in logged if each["level"] == "warning"]
    thread = [each for each in ctx.emitted if each.thread]
    assert len(thread) == 3
    assert thread[0].meta["guild"] == "11002"
    assert ctx.cursor["seq"] > 0


async def test_more_missed_messages_than_are_read_are_reported(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(missed, "MOST_IN_CHANNEL", 200)

    async def said(bot: Any) -> None:
        for number in range(350):
            await bot.say(f"general {number}", bot.bot.general)

    texts, logged, ctx = await interrupted(tmp_path, said)
    general = [each for each in texts if "general" in each]
    assert general == [f"general {number}" for number in range(150, 350)], "the newest, in order"
    (warning,) = [each for each in logged if each["level"] == "warning"]
    assert warning["chats"] == ["11003"]
    assert "not all that was said meanwhile" in ctx.fields["lastError"]


@pytest.mark.parametrize(
    ("bound", "most", "chats"),
    [
        ("MOST_IN_CHANNEL", 100, ["11003"]),
        ("MOST_CHANNELS", 1, ["11003", "11004"]),
        ("MOST_MESSAGES", 1, ["11003", "11004"]),
    ],
)
async def test_each_limit_of_missed_messages_is_reported(
    tmp_path: Path, monkeypatch: Any, bound: str, most: int, chats: list[str]
) -> None:
    monkeypatch.setattr(missed, bound, most)

    async def said(bot: Any) -> None:
        await bot.say("direct")
        for number in range(150 if bound == "MOST_IN_CHANNEL" else 1):
            await bot.say(f"general {number}", bot.bot.general)
        await bot.say("thread", bot.bot.thread)

    texts, logged, ctx = await interrupted(tmp_path, said)
    assert "direct" in texts
    (warning,) = [each for each in logged if each["level"] == "warning"]
    assert warning["chats"] == chats
    assert ctx.fields["lastError"].endswith(f"in {len(chats)} channels")


async def test_only_messages_are_read_again_as_they_are_now(tmp_path: Path) -> None:
    async def said(bot: Any) -> None:
        old, new, gone = [await bot.say(text, bot.bot.general) for text in ("old", "new", "gone")]
        new["content"], new["edited_timestamp"] = "edited", "2026-01-01T00:00:00+00:00"
        bot.fake.messages[bot.bot.general].remove(gone)
        event = {"user_id": "7", "channel_id": bot.bot.general, "message_id": old["id"]}
        emoji = {"emoji": {"id": None, "name": "x"}}
        await bot.fake.dispatch(TOKEN, "MESSAGE_REACTION_ADD", event | emoji)

    texts, _, ctx = await interrupted(tmp_path, said)
    assert texts == ["before", "old", "edited", "after"]
    assert [each.edits for each in ctx.emitted] == [None] * 4
    assert ctx.happened == []


async def test_a_server_that_discord_does_not_announce_in_time_is_reported(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(receiving, "GUILD_SECONDS", 0.0)
    async with fake_discord() as fake:
        guilds = fake.gateway.guilds_of
        unavailable = made.guild("999", [], []) | {"unavailable": True}
        fake.gateway.guilds_of = lambda number: [*guilds(number), unavailable]
        last = snowflake_at(made.EPOCH_MS + 9)
        old = {"root": fake.root, "session": "gone", "seq": 7, "last": last}
        async with running(fake, tmp_path, old) as second:
            await second.say("one")
            await second.ctx.message("one")
            assert second.ctx.cursor != old, "it is not waited for"
            told = [each for each in second.ctx.logged if "servers" in each]
            assert "999" in told[0]["servers"]
            assert "is not read" in second.ctx.fields["lastError"]


async def test_no_newer_position_is_stored_before_what_was_missed_is_read(
    tmp_path: Path,
) -> None:
    async with fake_discord() as fake:
        bot = fake.bot(TOKEN)
        guilds = fake.gateway.guilds_of
        fake.gateway.guilds_of = lambda number: [
            *guilds(number),
            made.guild("999", [], []) | {"unavailable": True},
        ]
        old = {
            "root": fake.root,
            "session": "gone",
            "seq": 7,
            "last": snowflake_at(made.EPOCH_MS + 9),
        }
        async with running(fake, tmp_path, old) as second:
            await second.say("one")
            await second.ctx.message("one")
            assert second.ctx.cursor == old, "of one server nothing is known yet"
            await fake.dispatch(TOKEN, "GUILD_CREATE", made.guild("999", [], []))
            await second.say("two")
            await second.ctx.message("two")
            assert bot.session is not None
            assert second.ctx.cursor["session"] == bot.session.id

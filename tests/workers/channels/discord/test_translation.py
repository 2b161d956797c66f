from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.nesting import decode_json
from workers.channels.discord.channels import KnownChannels
from workers.channels.discord.objects import (
    DeletedMessages,
    DiscordChannel,
    DiscordMessage,
    Interaction,
    ReactionChange,
)
from workers.channels.discord.translation import (
    deleted_of,
    edit_of,
    inbound_of,
    lacks_content,
    pressed_of,
    reaction_of,
    split_id,
    time_of,
)

ME = "110"
ADA = {"id": "7", "username": "ada", "global_name": "Ada"}
BOT = {"id": ME, "username": "fake", "bot": True}


def made(**fields: Any) -> DiscordMessage:
    known = {"id": "4194304", "channel_id": "1", "author": ADA, "content": "hi"}
    return decode_json(msgspec.json.encode(known | fields), DiscordMessage)


def channels() -> KnownChannels:
    known = KnownChannels()
    known.set(DiscordChannel("1", 0, "g", "general"))
    return known


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"content": "a < b <#1> <#2>"}, "a < b #general <#2>"),
        ({"content": "<@7> <@!7> <@8>", "mentions": [ADA]}, "@Ada @Ada <@8>"),
        ({"content": "<:wave:12> <a:dance:13>"}, ":wave: :dance:"),
        ({"content": "", "sticker_items": [{"id": "1", "name": "hello"}]}, ":hello:"),
        (
            {"content": "", "message_snapshots": [{"message": {"content": "passed on"}}]},
            "passed on",
        ),
        ({"content": "شكرا 👩‍👩‍👧 <@&5>"}, "شكرا 👩‍👩‍👧 <@&5>"),
    ],
)
def test_numbers_in_a_text_become_names(fields: dict[str, Any], text: str) -> None:
    found = inbound_of(made(**fields), ME, channels())
    assert found is not None
    assert found.text == text


@pytest.mark.parametrize(
    ("fields", "addressed"),
    [
        ({}, True),
        ({"guild_id": "g"}, False),
        ({"guild_id": "g", "mentions": [BOT]}, True),
        ({"guild_id": "g", "mentions": [ADA]}, False),
        ({"guild_id": "g", "referenced_message": {"id": "2", "author": BOT}}, True),
        ({"guild_id": "g", "referenced_message": {"id": "2", "author": ADA}}, False),
        ({"guild_id": "g", "referenced_message": None}, False),
    ],
)
def test_mentions_and_replies_address_the_bot(fields: dict[str, Any], addressed: bool) -> None:
    known = KnownChannels() if not fields else channels()
    found = inbound_of(made(**fields), ME, known)
    assert found is not None
    assert found.addressed is addressed
    named = fields.get("mentions") == [BOT]
    assert found.named_as == ([f"@{BOT['username']}"] if named else [])


@pytest.mark.parametrize(
    "fields", [{"type": 7}, {"type": 6}, {"type": 18}, {"content": ""}, {"author": None}]
)
def test_notices_and_what_says_nothing_are_no_messages(fields: dict[str, Any]) -> None:
    assert inbound_of(made(**fields), ME, channels()) is None


def test_a_reply_names_what_it_answers_and_a_forward_does_not() -> None:
    reference = {"message_id": "5", "channel_id": "1"}
    found = inbound_of(made(message_reference=reference), ME, channels())
    assert found is not None
    assert found.reply_to == "1/5"
    found = inbound_of(made(message_reference=reference | {"type": 1}), ME, channels())
    assert found is not None
    assert found.reply_to is None


def test_machines_are_marked_and_a_nick_is_a_name() -> None:
    cases: list[tuple[dict[str, Any], tuple[str, str, bool]]] = [
        ({"author": BOT}, ("110", "fake", True)),
        ({"author": ADA, "webhook_id": "9"}, ("7", "Ada", True)),
        ({"author": ADA, "member": {"nick": "Countess"}}, ("7", "Countess", False)),
    ]
    for fields, expected in cases:
        found = inbound_of(made(**fields), ME, channels())
        assert found is not None
        sender = found.sender
        assert (sender.id, sender.name, sender.bot) == expected
        assert sender.verified


def test_files_are_named() -> None:
    file = {"id": "1", "filename": "a.png", "url": "https://cdn/a.png?ex=1", "size": 5}
    found = inbound_of(made(content="", attachments=[file]), ME, channels())
    assert found is not None
    (attachment,) = found.attachments
    assert (attachment.name, attachment.size_bytes) == ("a.png", 5)


def test_an_edit_is_one_by_its_time() -> None:
    assert edit_of(made(), ME, channels()) is None
    at = "2026-01-02T03:04:05.678000+00:00"
    found = edit_of(made(edited_timestamp=at, mentions=[BOT]), ME, channels())
    assert found is not None
    assert (found.edits, found.id) == ("1/4194304", "1/4194304/edit/1767323045678")
    assert found.ts == 1_767_323_045_678
    assert not found.addressed
    assert split_id(found.id) == ("1", "4194304")


@pytest.mark.parametrize(
    ("fields", "lacks"),
    [
        ({"guild_id": "g", "content": ""}, True),
        ({"content": ""}, False),
        ({"guild_id": "g"}, False),
        ({"guild_id": "g", "content": "", "mentions": [BOT]}, False),
        ({"guild_id": "g", "content": "", "embeds": [{}]}, False),
        ({"guild_id": "g", "content": "", "type": 7}, False),
        ({"guild_id": "g", "content": "", "webhook_id": "1"}, False),
    ],
)
def test_a_message_whose_content_is_withheld(fields: dict[str, Any], lacks: bool) -> None:
    assert lacks_content(made(**fields), ME) is lacks


def test_many_are_deleted_one_by_one() -> None:
    found = deleted_of(DeletedMessages("1", "g", ids=["2", "3"]), channels(), 5)
    assert [(each.message, each.id) for each in found] == [
        ("1/2", "1/2/deleted"),
        ("1/3", "1/3/deleted"),
    ]
    assert deleted_of(DeletedMessages("1"), channels(), 5) == []


@pytest.mark.parametrize(
    ("emoji", "expected"),
    [
        ({"id": None, "name": "👍"}, "👍"),
        ({"id": "12", "name": "wave"}, "wave:12"),
        ({"id": "12", "name": None}, None),
        (None, None),
    ],
)
def test_an_emoji_is_written_as_it_is_sent(emoji: Any, expected: str | None) -> None:
    fields = {"channel_id": "1", "message_id": "2", "guild_id": "g", "emoji": emoji}
    change = msgspec.convert(fields, ReactionChange)
    found = reaction_of(change, channels(), 5, "id", removed=True)
    assert (found.emoji, found.sender, found.removed) == (expected, None, True)


def test_only_the_press_of_a_button_is_one() -> None:
    press = {
        "id": "4194304",
        "token": "t",
        "type": 3,
        "channel_id": "1",
        "guild_id": "g",
        "member": {"user": ADA, "nick": "Countess"},
        "data": {"custom_id": "yes"},
    }
    found = pressed_of(msgspec.convert(press, Interaction), channels())
    assert found is not None
    assert found.sender is not None
    assert (found.data, found.sender.name, found.message) == ("yes", "Countess", None)
    for other in ({"type": 2}, {"data": None}, {"member": None}, {"channel_id": None}):
        assert pressed_of(msgspec.convert(press | other, Interaction), channels()) is None


@pytest.mark.parametrize("id", ["5", "a/5", "5/a", "5/", "", "5/6/7"])
def test_what_is_no_id_of_a_message(id: str) -> None:
    assert split_id(id) is None


def test_a_malformed_time_is_none() -> None:
    assert [time_of(each) for each in (None, "", "x", "2026-13-01T00:00:00")] == [None] * 4

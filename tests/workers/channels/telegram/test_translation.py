from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.channels.telegram.objects import Entity, Update, User
from workers.channels.telegram.translation import (
    happenings_of,
    inbound_of,
    message_id,
    split_id,
    utf16_slice,
)
from workers.messages import Inbound

ME = User(id=110, is_bot=True, username="Fake_Bot")


def inbound(field: str = "message", /, **fields: Any) -> Inbound | None:
    message = {
        "message_id": 5,
        "date": 1_700_000_000,
        "chat": {"id": 7, "type": "private"},
        "from": {"id": 7, "first_name": "Ada", "last_name": "L"},
    } | fields
    return inbound_of(msgspec.convert({"update_id": 99, field: message}, Update), ME)


def said(field: str = "message", /, **fields: Any) -> Inbound:
    found = inbound(field, **fields)
    assert found is not None
    return found


GROUP = {"chat": {"id": -100, "type": "supergroup", "title": "Room"}}


def test_a_direct_message_is_translated() -> None:
    message = said(text="hello")
    assert message.id == "7/5"
    assert (message.chat.id, message.chat.kind, message.chat.title) == ("7", "direct", None)
    assert (message.sender.id, message.sender.name, message.sender.bot) == ("7", "Ada L", False)
    assert (message.text, message.ts, message.addressed) == ("hello", 1_700_000_000_000, True)
    assert (message.thread, message.reply_to) == (None, None)


@pytest.mark.parametrize(
    ("text", "entity", "addressed"),
    [
        ("@fake_bot hi", {"type": "mention", "offset": 0, "length": 9}, True),
        ("😀 @FAKE_BOT", {"type": "mention", "offset": 3, "length": 9}, True),
        ("@fake_bot2 hi", {"type": "mention", "offset": 0, "length": 10}, False),
        ("@fake_bot", None, False),
        ("you", {"type": "text_mention", "offset": 0, "length": 3, "user": {"id": 110}}, True),
        ("you", {"type": "text_mention", "offset": 0, "length": 3, "user": {"id": 7}}, False),
        ("/help@Fake_Bot", {"type": "bot_command", "offset": 0, "length": 14}, True),
        ("/help", {"type": "bot_command", "offset": 0, "length": 5}, False),
        ("/help@other_bot", {"type": "bot_command", "offset": 0, "length": 15}, False),
    ],
)
def test_in_a_group_an_entity_names_the_bot(text: str, entity: Any, addressed: bool) -> None:
    entities = {"entities": [entity]} if entity else {}
    message = said(text=text, **entities, **GROUP)
    assert message.addressed is addressed
    own = text.removeprefix("/help").removeprefix("😀 ").removesuffix(" hi")
    assert message.named_as == ([own] if addressed else [])
    assert (message.chat.id, message.chat.kind, message.chat.title) == ("-100", "group", "Room")


def test_an_answer_to_the_bot_is_meant_for_it() -> None:
    mine = {"message_id": 3, "date": 1, "from": {"id": 110, "is_bot": True}} | GROUP
    message = said(text="yes", reply_to_message=mine, **GROUP)
    assert (message.addressed, message.reply_to) == (True, "-100/3")
    other = mine | {"from": {"id": 8}}
    assert not said(text="yes", reply_to_message=other, **GROUP).addressed


def test_a_topic_is_a_thread_and_its_first_message_is_no_answer() -> None:
    first = {"message_id": 3, "date": 1, "from": {"id": 110, "is_bot": True}} | GROUP
    topic = {"message_thread_id": 3, "is_topic_message": True, "reply_to_message": first} | GROUP
    message = said(text="x", **topic)
    assert (message.thread, message.reply_to, message.addressed) == ("3", None, False)
    reply = topic | {"reply_to_message": first | {"message_id": 4}}
    assert said(text="x", **reply).reply_to == "-100/4"
    assert said(text="x", message_thread_id=3, **GROUP).thread is None, "replies, no topic"


def test_an_edit_is_a_new_message_that_is_not_addressed() -> None:
    message = said("edited_message", text="new", edit_date=1_700_000_009)
    assert message.id == "7/5/edit/99"
    assert message.edits == "7/5"
    assert (message.ts, message.addressed) == (1_700_000_009_000, False)


def test_a_channel_and_a_hidden_administrator_write_as_a_chat() -> None:
    post = said("channel_post", text="news", **{"from": None}, **GROUP)
    assert (post.sender.id, post.sender.name) == ("-100", "Room")
    hidden = said(text="x", sender_chat={"id": -5, "type": "channel", "title": "C"}, **GROUP)
    assert hidden.sender.id == "-5"


def test_files_are_named_without_an_address() -> None:
    photo = [{"file_id": size, "file_unique_id": size, "file_size": 9} for size in ("s", "l")]
    message = said(photo=photo, caption="see", media_group_id="g")
    assert (message.text, message.attachments) == ("see", [])
    assert message.meta["media"] == [
        {"kind": "photo", "fileId": "l", "mimeType": "image/jpeg", "sizeBytes": 9}
    ]
    assert message.meta["mediaGroup"] == "g"
    document = {"file_id": "d", "file_unique_id": "d", "file_name": "a.pdf"}
    assert said(document=document).meta["media"][0]["name"] == "a.pdf"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"sticker": {"file_id": "s", "file_unique_id": "s", "emoji": "👍"}}, "👍"),
        ({"location": {"latitude": 52.5, "longitude": 13.4}}, "52.5, 13.4"),
        ({"contact": {"phone_number": "+1", "first_name": "Bob"}}, "Bob +1"),
    ],
)
def test_what_has_no_text_is_put_into_words(fields: dict[str, Any], text: str) -> None:
    assert said(**fields).text == text


def test_notices_and_unknown_updates_are_no_messages() -> None:
    assert inbound(new_chat_members=[{"id": 8}]) is None
    assert inbound_of(msgspec.convert({"update_id": 1, "poll": {}}, Update), ME) is None


def test_a_link_behind_a_word_is_kept() -> None:
    entity = {"type": "text_link", "offset": 3, "length": 4, "url": "https://a.example"}
    assert said(text="😀 here", entities=[entity]).meta["links"] == [
        {"text": "here", "url": "https://a.example"}
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7/5", ("7", 5)),
        ("-100/5", ("-100", 5)),
        ("7/5/edit/99", ("7", 5)),
        ("7", None),
        ("7/x", None),
        ("/5", None),
        ("", None),
    ],
)
def test_ids_name_chat_and_number(text: str, found: tuple[str, int] | None) -> None:
    assert split_id(text) == found


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS, TEXTS, TEXTS)
def test_entities_count_utf16_units(before: str, named: str, after: str) -> None:
    def units(text: str) -> int:
        return len(text.encode("utf-16-le")) // 2

    entity = Entity("mention", units(before), units(named))
    assert utf16_slice(before + named + after, entity) == named


def test_mentions_are_found_in_a_text() -> None:
    entities = [
        {"type": "mention", "offset": 0, "length": 4},
        {"type": "text_mention", "offset": 5, "length": 3, "user": {"id": 9}},
        {"type": "bold", "offset": 0, "length": 4},
    ]
    assert said(text="@bob you", entities=entities).mentions == ["@bob", "9"]
    assert said(text="x").sender.verified, "Telegram vouches for who writes"


def test_reactions_are_told_as_they_change() -> None:
    changed = {
        "chat": {"id": 7, "type": "private"},
        "message_id": 5,
        "date": 1,
        "user": {"id": 8, "first_name": "Bob"},
        "old_reaction": [{"type": "emoji", "emoji": "👍"}, {"type": "custom_emoji"}],
        "new_reaction": [{"type": "emoji", "emoji": "🔥"}],
    }
    update = msgspec.convert({"update_id": 1, "message_reaction": changed}, Update)
    found = {each.emoji: each.removed for each in happenings_of(update)}
    assert found == {"👍": True, "🔥": False}
    (first, _) = happenings_of(update)
    assert (first.message, first.sender and first.sender.name, first.ts) == ("7/5", "Bob", 1000)
    assert inbound_of(update, ME) is None


def test_a_button_that_was_pressed() -> None:
    message = {"message_id": 5, "date": 1, "chat": {"id": -100, "type": "group"}}
    query = {"id": "q", "from": {"id": 8}, "data": "y", "message": message}
    update = msgspec.convert({"update_id": 1, "callback_query": query}, Update)
    (pressed,) = happenings_of(update)
    assert (pressed.kind, pressed.data, pressed.message) == ("pressed", "y", "-100/5")
    del query["message"]
    old = msgspec.convert({"update_id": 1, "callback_query": query}, Update)
    assert happenings_of(old) == []


def test_an_id_is_split_into_chat_and_message() -> None:
    assert split_id(message_id(-100, 3)) == ("-100", 3)

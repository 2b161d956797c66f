from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.workers.channels.slack.running_app import ME
from workers.channels.slack.objects import (
    InteractionPayload,
    MemberNews,
    MessageNews,
    ReactionNews,
    RenamedNews,
    SlackConversation,
)
from workers.channels.slack.translation import (
    conversation_chat,
    member_of,
    message_id,
    milliseconds,
    news_of,
    pressed_of,
    reaction_of,
    renamed_of,
    split_id,
)
from workers.messages import Chat, Happened, Inbound, Sender

TS = "1700000000.000100"


def news(**fields: Any) -> Inbound | Happened | None:
    event = {"type": "message", "channel": "C1", "user": "U1", "text": "hi", "ts": TS} | fields
    return news_of(msgspec.convert(event, MessageNews), ME)


def heard(**fields: Any) -> Inbound:
    found = news(**fields)
    assert isinstance(found, Inbound)
    return found


def test_a_message_in_a_channel_is_translated() -> None:
    assert heard() == Inbound(
        id=f"C1/{TS}",
        chat=Chat("C1", "group"),
        sender=Sender("U1", verified=True),
        text="hi",
        ts=1_700_000_000_000,
    )


@pytest.mark.parametrize(
    ("fields", "addressed"),
    [
        ({"channel": "D1", "channel_type": "im"}, True),
        ({"channel": "G1", "channel_type": "mpim"}, False),
        ({"text": "<@UBOT1> hi"}, True),
        ({"text": "<@UBOT2> hi"}, False),
        ({"type": "app_mention"}, True),
        ({"thread_ts": "1.000001", "parent_user_id": "UBOT1"}, True),
        ({"thread_ts": "1.000001", "parent_user_id": "U2"}, False),
    ],
)
def test_mentions_and_threads_address_the_bot(fields: dict[str, Any], addressed: bool) -> None:
    assert heard(**fields).addressed is addressed


def test_a_mention_that_comes_twice_has_one_id() -> None:
    mention = heard(type="app_mention", text="<@UBOT1> hi")
    assert mention == heard(text="<@UBOT1> hi", channel_type="channel")
    assert (mention.mentions, mention.named_as) == (["UBOT1"], ["@UBOT1"])
    assert heard(text="<@UBOT1|trunk> hi <@U2>").named_as == ["@trunk"]


def test_a_thread_is_named_by_its_first_message() -> None:
    answer = heard(thread_ts="1.000001")
    assert (answer.thread, answer.reply_to) == ("1.000001", "C1/1.000001")
    first = heard(thread_ts=TS)
    assert (first.thread, first.reply_to) == (TS, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "UBOT1"},
        {"user": None, "bot_id": "B1", "subtype": "bot_message"},
        {"subtype": "channel_join"},
        {"subtype": "channel_topic"},
        {"text": ""},
        {"ts": ""},
    ],
)
def test_other_events_are_ignored(fields: dict[str, Any]) -> None:
    assert news(**fields) is None


def test_other_bots_are_marked() -> None:
    assert heard(user="UBOT2", bot_id="B2").sender == Sender("UBOT2", bot=True, verified=True)
    old = heard(user=None, bot_id="B2", subtype="bot_message", username="ci")
    assert old.sender == Sender("B2", "ci", bot=True, verified=True)


def test_me_messages_and_files_are_translated() -> None:
    assert heard(subtype="me_message").action
    file = {"id": "F1", "name": "a.png", "mimetype": "image/png", "size": 5, "url_private": "x"}
    found = heard(subtype="file_share", text="", files=[file])
    assert found.text == ""
    (media,) = found.meta["media"]
    assert (media["fileId"], media["name"], media["sizeBytes"]) == ("F1", "a.png", 5)
    assert "url" not in str(media)


def changed(**fields: Any) -> Inbound | Happened | None:
    before = {"type": "message", "user": "U1", "text": "hi", "ts": TS}
    after = before | {"text": "ho", "edited": {"user": "U1", "ts": "1700000009.000000"}} | fields
    return news(subtype="message_changed", ts="9.1", message=after, previous_message=before)


def test_an_edit_is_a_message_of_its_own() -> None:
    found = changed()
    assert isinstance(found, Inbound)
    assert found.id == f"C1/{TS}/edit/1700000009.000000"
    assert (found.edits, found.text, found.ts) == (f"C1/{TS}", "ho", 1_700_000_009_000)
    assert not found.addressed
    assert split_id(found.id) == ("C1", TS)


def test_a_preview_of_a_link_is_no_edit() -> None:
    assert changed(edited=None) is None
    mark = {"user": "U1", "ts": "5.0"}
    message = {"type": "message", "user": "U1", "text": "hi", "ts": TS, "edited": mark}
    assert news(subtype="message_changed", message=message, previous_message=message) is None


def test_the_bot_s_own_edits_and_deletions_are_none() -> None:
    assert changed(user="UBOT1") is None
    own = {"user": "UBOT1", "ts": TS}
    assert news(subtype="message_deleted", deleted_ts=TS, previous_message=own) is None


def test_a_deletion_becomes_an_event() -> None:
    found = news(subtype="message_deleted", deleted_ts=TS, ts="1700000009.000000")
    assert found == Happened(
        kind="deleted",
        chat=Chat("C1", "group"),
        ts=1_700_000_009_000,
        message=f"C1/{TS}",
        id=f"C1/{TS}/deleted",
    )
    tombstone = {"subtype": "tombstone", "user": "USLACKBOT", "ts": TS}
    gone = news(subtype="message_changed", ts="9.1", message=tombstone)
    assert isinstance(gone, Happened)
    assert gone.message == f"C1/{TS}"


def reaction(**fields: Any) -> Happened | None:
    event = {
        "type": "reaction_added",
        "user": "U1",
        "reaction": "tada",
        "item": {"type": "message", "channel": "C1", "ts": TS},
        "event_ts": "1700000009.000000",
    }
    return reaction_of(msgspec.convert(event | fields, ReactionNews), ME)


def test_reactions_become_events() -> None:
    added, removed = reaction(), reaction(type="reaction_removed")
    assert added is not None
    assert removed is not None
    assert (added.emoji, added.removed, added.message) == ("🎉", False, f"C1/{TS}")
    assert removed.removed
    assert reaction(user="UBOT1") is None
    assert reaction(item={"type": "file", "file": "F1"}) is None


def test_joins_leaves_and_renames_become_events() -> None:
    joined = member_of(MemberNews("member_joined_channel", "U1", "C1", TS))
    left = member_of(MemberNews("member_left_channel", "U1", "C1", TS))
    assert (joined.kind, joined.removed, left.removed) == ("member", False, True)
    assert joined.id != left.id
    renamed = renamed_of(RenamedNews("channel_rename", SlackConversation("C1", "new"), TS))
    assert (renamed.kind, renamed.chat.title) == ("chat", "new")


def test_a_button_that_was_pressed() -> None:
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "ada"},
        "container": {"type": "message", "message_ts": TS, "channel_id": "D1"},
        "actions": [
            {"action_id": "0.0", "value": "y", "action_ts": "1700000009.000000"},
            {"action_id": "0.1", "action_ts": "1700000009.000000"},
        ],
    }
    (pressed,) = pressed_of(msgspec.convert(payload, InteractionPayload))
    assert (pressed.kind, pressed.data, pressed.message) == ("pressed", "y", f"D1/{TS}")
    assert pressed.sender == Sender("U1", "ada", verified=True)
    other = msgspec.convert(payload | {"type": "view_submission"}, InteractionPayload)
    assert pressed_of(other) == []


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (message_id("C1", TS), ("C1", TS)),
        ("C1/x", None),
        (TS, None),
        ("", None),
        (f"/{TS}", None),
    ],
)
def test_an_id_is_split_into_its_parts(name: str, place: tuple[str, str] | None) -> None:
    assert split_id(name) == place


def test_times_and_chats_are_translated() -> None:
    assert milliseconds(None) == milliseconds("x") == 0
    assert conversation_chat(SlackConversation("D1", is_im=True, user="U1")) == Chat("D1", "direct")
    assert conversation_chat(SlackConversation("C1", "room")) == Chat("C1", "group", "room")

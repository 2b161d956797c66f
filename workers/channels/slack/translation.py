"""Translates the events of Slack into messages. Pure."""

from __future__ import annotations

import re
from typing import Any

from workers.channels.slack.emoji import shown_emoji
from workers.channels.slack.mrkdwn import read
from workers.channels.slack.objects import (
    BotIdentity,
    InteractionPayload,
    MemberNews,
    MessageNews,
    ReactionNews,
    RenamedNews,
    SlackConversation,
    SlackFile,
    SlackMessage,
)
from workers.messages import Chat, Happened, Inbound, Sender

_TS = re.compile(r"\d{1,12}\.\d{1,9}\Z")
# Messages that somebody has written; all other subtypes are notices (joined, topic, pinned, …).
_WRITTEN = frozenset({None, "file_share", "me_message", "thread_broadcast", "bot_message"})


def message_id(channel: str, ts: str) -> str:
    """Return the id of a message within the account; ``ts`` alone is unique only in its channel."""
    return f"{channel}/{ts}"


def split_id(id: str) -> tuple[str, str] | None:
    """Split a message's id into channel and ``ts``; ``None`` if it does not have that form."""
    channel, _, ts = id.partition("/edit/")[0].rpartition("/")
    return (channel, ts) if channel and is_ts(ts) else None


def is_ts(text: str) -> bool:
    """Return whether a text is a ``ts``, Slack's id of a message or thread."""
    return _TS.match(text) is not None


def milliseconds(ts: str | None) -> int:
    """Return the time of a ``ts`` in epoch milliseconds; 0 if it is not one."""
    return int(float(ts) * 1000) if ts and is_ts(ts) else 0


def chat_of(channel: str, name: str | None = None) -> Chat:
    """Return a chat by its id: that of a direct conversation begins with a D."""
    direct = channel.startswith("D")
    return Chat(id=channel, kind="direct" if direct else "group", title=name or None)


def conversation_chat(found: SlackConversation) -> Chat:
    """Return a chat with its name."""
    return chat_of(found.id, None if found.is_im else found.name)


def news_of(event: MessageNews, me: BotIdentity) -> Inbound | Happened | None:
    """Translate a message event for the bot ``me``; ``None`` if it is to be ignored.

    Ignored are the bot's own messages, notices, and changes by Slack itself (previews of links,
    counts of replies).
    """
    if event.subtype == "message_deleted" and event.deleted_ts:
        return None if is_own(event.previous_message, me) else _deleted(event, event.deleted_ts)
    if event.subtype == "message_changed" and event.message is not None:
        return _changed(event, event.message, me)
    if is_own(event, me):
        return None
    return inbound_of(event.channel, event, me, mentioned=event.type == "app_mention")


def inbound_of(
    channel: str, message: SlackMessage, me: BotIdentity, *, mentioned: bool = False
) -> Inbound | None:
    """Return the inbound message; ``None`` for a notice or an empty message."""
    if message.subtype not in _WRITTEN or not message.ts:
        return None
    found = read(message.text or "")
    files = [_file(each) for each in message.files or ()]
    if not found.text and not files:
        return None
    chat = chat_of(channel)
    meta: dict[str, Any] = {"links": found.links} if found.links else {}
    if files:
        meta["media"] = files
    answers_us = message.parent_user_id == me.user_id
    thread = message.thread_ts
    return Inbound(
        id=message_id(channel, message.ts),
        chat=chat,
        sender=_sender_of(message),
        text=found.text,
        ts=milliseconds(message.ts),
        addressed=chat.kind == "direct" or mentioned or me.user_id in found.mentions or answers_us,
        action=message.subtype == "me_message",
        thread=thread,
        reply_to=message_id(channel, thread) if thread and thread != message.ts else None,
        meta=meta,
        mentions=found.mentions,
        named_as=[found.names[me.user_id]] if me.user_id in found.names else [],
    )


def _changed(
    event: MessageNews, message: SlackMessage, me: BotIdentity
) -> Inbound | Happened | None:
    if message.subtype == "tombstone":  # it was deleted, and has answers
        return _deleted(event, message.ts)
    before = event.previous_message
    if message.edited is None or is_own(message, me):
        return None
    if before is not None and before.edited == message.edited:
        return None
    found = inbound_of(event.channel, message, me)
    if found is None:
        return None
    edited = message.edited.ts
    return Inbound(
        id=f"{found.id}/edit/{edited}",
        chat=found.chat,
        sender=found.sender,
        text=found.text,
        ts=milliseconds(edited),
        action=found.action,
        thread=found.thread,
        reply_to=found.reply_to,
        meta=found.meta,
        mentions=found.mentions,
        edits=found.id,
    )


def _deleted(event: MessageNews, ts: str) -> Happened:
    message = message_id(event.channel, ts)
    return Happened(
        kind="deleted",
        chat=chat_of(event.channel),
        ts=milliseconds(event.event_ts or event.ts),
        message=message,
        id=f"{message}/deleted",
    )


def reaction_of(event: ReactionNews, me: BotIdentity) -> Happened | None:
    """Return the event of a reaction added or removed; ``None`` for the bot's own."""
    item = event.item
    if item.type != "message" or not item.channel or not item.ts or event.user == me.user_id:
        return None
    message = message_id(item.channel, item.ts)
    removed = event.type == "reaction_removed"
    return Happened(
        kind="reaction",
        chat=chat_of(item.channel),
        ts=milliseconds(event.event_ts),
        sender=Sender(event.user, verified=True) if event.user else None,
        message=message,
        id=f"{message}/{event.reaction}/{event.user}/{event.event_ts}",
        emoji=shown_emoji(event.reaction),
        removed=removed,
    )


def member_of(event: MemberNews) -> Happened:
    """Return the event that a member, perhaps the bot itself, joined or left a channel."""
    left = event.type == "member_left_channel"
    return Happened(
        kind="member",
        chat=chat_of(event.channel),
        ts=milliseconds(event.event_ts),
        sender=Sender(event.user, verified=True),
        id=f"{event.channel}/{'left' if left else 'joined'}/{event.user}/{event.event_ts}",
        removed=left,
    )


def renamed_of(event: RenamedNews) -> Happened:
    """Return the event of a renamed channel."""
    return Happened(
        kind="chat",
        chat=conversation_chat(event.channel),
        ts=milliseconds(event.event_ts),
        id=f"{event.channel.id}/renamed/{event.event_ts}",
    )


def pressed_of(payload: InteractionPayload) -> list[Happened]:
    """Return an event for each pressed button, except those that open a URL."""
    place, person = payload.container, payload.user
    if payload.type != "block_actions" or not place.channel_id or person is None:
        return []
    message = message_id(place.channel_id, place.message_ts) if place.message_ts else None
    return [
        Happened(
            kind="pressed",
            chat=chat_of(place.channel_id),
            ts=milliseconds(each.action_ts),
            sender=Sender(person.id, person.name or person.username, verified=True),
            message=message,
            id=f"{place.channel_id}/pressed/{person.id}/{each.action_ts}/{each.action_id}",
            data=each.value,
        )
        for each in payload.actions
        if each.value
    ]


def is_own(message: SlackMessage | None, me: BotIdentity) -> bool:
    """Return whether the bot has written a message itself."""
    if message is None:
        return False
    return message.user == me.user_id or (me.bot_id is not None and message.bot_id == me.bot_id)


def _sender_of(message: SlackMessage) -> Sender:
    """Return the sender of a message; Slack guarantees the ids of people and bots."""
    bot = message.bot_id is not None
    author = message.user or message.bot_id or "unknown"
    name = message.username or (message.bot_profile.name if message.bot_profile else None)
    return Sender(author, name or None, bot, verified=author != "unknown")


def _file(file: SlackFile) -> dict[str, Any]:
    """Return the metadata of a file, without its URL, which needs the token."""
    known = {
        "fileId": file.id,
        "name": file.name,
        "mimeType": file.mimetype,
        "sizeBytes": file.size,
    }
    return {name: value for name, value in known.items() if value is not None}

"""Translates Discord's events into messages and other events of the channel. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from workers.channels.discord.channels import KnownChannels
from workers.channels.discord.objects import (
    DeletedMessages,
    DiscordEmoji,
    DiscordFile,
    DiscordMessage,
    DiscordUser,
    GuildMember,
    Interaction,
    PollVote,
    ReactionChange,
    TypingStart,
    snowflake_ms,
)
from workers.messages import Attachment, Chat, Happened, Inbound, Sender

# Kinds of messages that say something: plain ones, replies, what a command has answered. The others
# are notices: somebody joined, a message was pinned, a thread was begun.
_SAYING = frozenset({0, 19, 20, 23})
_FORWARD = 1
_NAMED = re.compile(r"<(?:@!?(?P<user>\d+)|#(?P<channel>\d+)|a?(?P<emoji>:\w+:)\d+)>")


def message_id(channel: str, message: str) -> str:
    """Return the id of a message within the account, which includes its channel."""
    return f"{channel}/{message}"


def split_id(id: str) -> tuple[str, str] | None:
    """Split a message's id into channel and number; ``None`` if it does not have that form."""
    channel, _, number = id.partition("/edit/")[0].partition("/")
    return (channel, number) if channel.isdecimal() and number.isdecimal() else None


def inbound_of(message: DiscordMessage, me: str, channels: KnownChannels) -> Inbound | None:
    """Return the inbound message for the bot ``me``; ``None`` for a notice or an empty message.

    An edited message becomes an edit, with its new text.
    """
    author = message.author
    if author is None or message.type not in _SAYING:
        return None
    chat, thread = channels.place(message.channel_id, message.guild_id)
    text = text_of(message, channels)
    files = files_of(message)
    if not text and not files:
        return None
    own_id = message_id(message.channel_id, message.id)
    direct = chat.kind == "direct"
    meta: dict[str, Any] = {"guild": message.guild_id} if message.guild_id else {}
    if message.member is not None and message.member.roles:
        meta["roles"] = message.member.roles
    return Inbound(
        id=own_id,
        chat=chat,
        sender=sender_of(author, message.member, webhook=message.webhook_id is not None),
        text=text,
        ts=snowflake_ms(message.id),
        addressed=direct or is_meant(message, me),
        thread=thread,
        reply_to=_reply_of(message),
        attachments=[_attachment(each) for each in files],
        meta=meta,
        mentions=[each.id for each in message.mentions],
        named_as=[f"@{_shown(each)}" for each in message.mentions if each.id == me],
    )


def edit_of(message: DiscordMessage, me: str, channels: KnownChannels) -> Inbound | None:
    """Return the edit for an update of a message; ``None`` if its text was not edited."""
    at = time_of(message.edited_timestamp)
    new = None if at is None else inbound_of(message, me, channels)
    if new is None or at is None:
        return None
    return Inbound(
        id=f"{new.id}/edit/{at}",
        chat=new.chat,
        sender=new.sender,
        text=new.text,
        ts=at,
        thread=new.thread,
        reply_to=new.reply_to,
        attachments=new.attachments,
        meta=new.meta,
        mentions=new.mentions,
        edits=new.id,
    )


def lacks_content(message: DiscordMessage, me: str) -> bool:
    """Return whether a message is empty as if the bot lacked the MESSAGE CONTENT intent."""
    if message.guild_id is None or message.type not in _SAYING or message.webhook_id is not None:
        return False
    held = (
        message.content,
        message.attachments,
        message.sticker_items,
        message.embeds,
        message.components,
        message.poll,
        message.message_snapshots,
    )
    named = any(each.id == me for each in message.mentions)
    return not any(held) and not named


def is_meant(message: DiscordMessage, me: str) -> bool:
    """Return whether a message in a server mentions the bot or replies to it."""
    if any(each.id == me for each in message.mentions):
        return True
    replied = message.referenced_message
    return replied is not None and replied.author is not None and replied.author.id == me


def _shown(user: DiscordUser) -> str:
    """Return the display name of a user for a mention in a text."""
    return user.global_name or user.username


def text_of(message: DiscordMessage, channels: KnownChannels) -> str:
    """Return the text of a message, with names in place of Discord's ids."""
    text = message.content
    if not text and message.message_snapshots:
        text = message.message_snapshots[0].message.content
    if not text and message.sticker_items:
        text = " ".join(f":{each.name}:" for each in message.sticker_items)
    if "<" not in text:
        return text
    people = {each.id: _shown(each) for each in message.mentions}

    def named(found: re.Match[str]) -> str:
        if found["emoji"]:
            return found["emoji"]
        if found["user"]:
            name = people.get(found["user"])
            return f"@{name}" if name else found[0]
        name = channels.name(found["channel"])
        return f"#{name}" if name else found[0]

    return _NAMED.sub(named, text)


def files_of(message: DiscordMessage) -> list[DiscordFile]:
    """Return the files of a message, or those of what it forwards."""
    if message.attachments or not message.message_snapshots:
        return message.attachments
    return message.message_snapshots[0].message.attachments


def sender_of(
    user: DiscordUser, member: GuildMember | None = None, *, webhook: bool = False
) -> Sender:
    """Return the sender of a message or event; Discord guarantees ids, not names."""
    nick = member.nick if member is not None else None
    name = nick or user.global_name or user.username or None
    return Sender(user.id, name, user.bot or webhook, verified=True)


def deleted_of(deleted: DeletedMessages, channels: KnownChannels, at: int) -> list[Happened]:
    """Return one event for each deleted message."""
    chat, _ = channels.place(deleted.channel_id, deleted.guild_id)
    gone = deleted.ids or ([deleted.id] if deleted.id else [])
    return [
        Happened(
            kind="deleted",
            chat=chat,
            ts=at,
            message=message_id(deleted.channel_id, each),
            id=f"{message_id(deleted.channel_id, each)}/deleted",
        )
        for each in gone
    ]


def reaction_of(
    change: ReactionChange, channels: KnownChannels, at: int, id: str, *, removed: bool
) -> Happened:
    """Return the event of a reaction added or removed; without an emoji all were removed."""
    chat, _ = channels.place(change.channel_id, change.guild_id)
    return Happened(
        kind="reaction",
        chat=chat,
        ts=at,
        sender=_sender_by_id(change.user_id, change.member),
        message=message_id(change.channel_id, change.message_id),
        id=id,
        emoji=_emoji(change.emoji),
        removed=removed,
    )


def vote_of(
    vote: PollVote, channels: KnownChannels, at: int, id: str, *, removed: bool
) -> Happened:
    """Return the event of a vote in a poll, or of its removal; the answer is a number."""
    chat, _ = channels.place(vote.channel_id, vote.guild_id)
    return Happened(
        kind="voted",
        chat=chat,
        ts=at,
        sender=_sender_by_id(vote.user_id, None),
        message=message_id(vote.channel_id, vote.message_id),
        id=id,
        choices=[str(vote.answer_id)],
        removed=removed,
    )


def typing_of(typing: TypingStart, channels: KnownChannels) -> Happened:
    """Return the event that a person types."""
    chat, _ = channels.place(typing.channel_id, typing.guild_id)
    return Happened(
        kind="typing",
        chat=chat,
        ts=typing.timestamp * 1000,
        sender=_sender_by_id(typing.user_id, None),
    )


def pressed_of(interaction: Interaction, channels: KnownChannels) -> Happened | None:
    """Return the event of a pressed button; ``None`` for other interactions."""
    channel, who = interaction.channel_id, interaction.who
    if interaction.type != 3 or channel is None or interaction.data is None or who is None:
        return None
    chat, _ = channels.place(channel, interaction.guild_id)
    nick = interaction.member.nick if interaction.member is not None else None
    message = interaction.message
    return Happened(
        kind="pressed",
        chat=chat,
        ts=snowflake_ms(interaction.id),
        sender=sender_of(who, GuildMember(nick)),
        message=None if message is None else message_id(channel, message.id),
        id=f"pressed/{interaction.id}",
        data=interaction.data.custom_id,
    )


def changed_chat(chat: Chat, at: int, id: str, *, removed: bool = False) -> Happened:
    """Return the event of a channel or thread that is new, renamed, or deleted (``removed``)."""
    return Happened(kind="chat", chat=chat, ts=at, id=id, removed=removed)


def time_of(text: str | None) -> int | None:
    """Parse a timestamp of Discord as epoch milliseconds; ``None`` if there is none."""
    try:
        return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _sender_by_id(user: str | None, member: GuildMember | None) -> Sender | None:
    return None if user is None else sender_of(DiscordUser(user), member)


def _emoji(emoji: DiscordEmoji | None) -> str | None:
    if emoji is None or not emoji.name:
        return None
    return f"{emoji.name}:{emoji.id}" if emoji.id else emoji.name


def _attachment(file: DiscordFile) -> Attachment:
    return Attachment(file.url, file.content_type, file.filename or None, file.size)


def _reply_of(message: DiscordMessage) -> str | None:
    found = message.message_reference
    if found is None or found.type == _FORWARD or found.message_id is None:
        return None
    return message_id(found.channel_id or message.channel_id, found.message_id)

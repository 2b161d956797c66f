"""Translates updates of the Bot API into messages. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workers.channels.telegram.objects import (
    Entity,
    File,
    ReactionUpdate,
    TelegramChat,
    TelegramMessage,
    Update,
    User,
)
from workers.messages import Chat, Happened, Inbound, Sender

_FILES = ("document", "audio", "video", "voice", "video_note", "animation")


def message_id(chat: int | str, message: int) -> str:
    """Return the id of a message within the account; Telegram's own number is unique per chat."""
    return f"{chat}/{message}"


def split_id(id: str) -> tuple[str, int] | None:
    """Split a message's id into chat and number; ``None`` if it does not have that form."""
    chat, _, number = id.partition("/edit/")[0].rpartition("/")
    return (chat, int(number)) if chat and number.isdecimal() else None


def inbound_of(update: Update, me: User) -> Inbound | None:
    """Return the inbound message of an update for the bot ``me``; ``None`` if it has none.

    Notices (a join, a pinned message) and messages without text or file are ignored.
    """
    message = update.any_message
    if message is None:
        return None
    text, entities = message.text or message.caption, message.entities or message.caption_entities
    text = text or _words_of(message)
    files = list(_files_of(message))
    if not text and not files:
        return None
    chat = message.chat
    direct = chat.type == "private"
    meta: dict[str, Any] = {"updateId": update.update_id}
    if links := [
        {"text": utf16_slice(text, each), "url": each.url} for each in entities if each.url
    ]:
        meta["links"] = links
    if files:
        meta["media"] = files
    if message.media_group_id:
        meta["mediaGroup"] = message.media_group_id
    own_id = message_id(chat.id, message.message_id)
    return Inbound(
        id=f"{own_id}/edit/{update.update_id}" if update.edited else own_id,
        chat=Chat(id=str(chat.id), kind="direct" if direct else "group", title=chat.title or None),
        sender=_sender_of(message),
        text=text,
        ts=(message.edit_date or message.date) * 1000,
        addressed=(direct or _is_meant(message, text, entities, me)) and not update.edited,
        thread=str(message.message_thread_id) if message.is_topic_message else None,
        reply_to=_reply_of(message),
        meta=meta,
        mentions=list(_mentions(entities, text)),
        named_as=list(_own_names(entities, text, me)),
        edits=own_id if update.edited else None,
    )


def happenings_of(update: Update) -> list[Happened]:
    """Return the events of an update other than messages: reactions and pressed buttons."""
    if (changed := update.message_reaction) is not None:
        return _reactions_of(changed)
    query = update.callback_query
    if query is None or query.message is None:
        return []
    message = query.message
    return [
        Happened(
            kind="pressed",
            chat=chat_of(message.chat),
            ts=message.date * 1000,
            sender=_person(query.sender),
            message=message_id(message.chat.id, message.message_id),
            id=f"pressed/{update.update_id}",
            data=query.data,
        )
    ]


def _reactions_of(changed: ReactionUpdate) -> list[Happened]:
    """Return an event for each emoji that was added or removed."""
    before = {each.emoji for each in changed.old_reaction if each.emoji}
    after = {each.emoji for each in changed.new_reaction if each.emoji}
    return [
        Happened(
            kind="reaction",
            chat=chat_of(changed.chat),
            ts=changed.date * 1000,
            sender=None if changed.user is None else _person(changed.user),
            message=message_id(changed.chat.id, changed.message_id),
            emoji=emoji,
            removed=emoji in before,
        )
        for emoji in sorted(before ^ after)
    ]


def chat_of(chat: TelegramChat) -> Chat:
    """Return a chat with its name."""
    direct = chat.type == "private"
    return Chat(id=str(chat.id), kind="direct" if direct else "group", title=chat.title or None)


def utf16_slice(text: str, entity: Entity) -> str:
    """Return the text of an entity, whose range is in UTF-16 units."""
    if text.isascii():
        return text[entity.offset : entity.offset + entity.length]
    units = text.encode("utf-16-le", "surrogatepass")
    part = units[entity.offset * 2 : (entity.offset + entity.length) * 2]
    return part.decode("utf-16-le", "replace")


def _sender_of(message: TelegramMessage) -> Sender:
    """Return the sender of a message; channels and anonymous administrators write as a chat."""
    if message.sender_chat is not None or message.sender is None:
        chat = message.sender_chat or message.chat
        return Sender(str(chat.id), chat.title or chat.username or None, verified=True)
    return _person(message.sender)


def _person(user: User) -> Sender:
    return Sender(str(user.id), user.name or None, user.is_bot, verified=True)


def _mentions(entities: list[Entity], text: str) -> Iterator[str]:
    """Yield the people whom a text mentions: ``@name``, or the number of a person without one."""
    for entity in entities:
        if entity.type == "text_mention" and entity.user is not None:
            yield str(entity.user.id)
        elif entity.type == "mention":
            yield utf16_slice(text, entity)


def _own_names(entities: list[Entity], text: str, me: User) -> Iterator[str]:
    """Yield the forms in which a text mentions the bot, including the name after a command."""
    for entity in entities:
        if _names(entity, text, me):
            name = utf16_slice(text, entity)
            yield name[name.find("@") :] if entity.type == "bot_command" else name


def _is_meant(message: TelegramMessage, text: str, entities: list[Entity], me: User) -> bool:
    """Return whether a message in a group mentions the bot or replies to it."""
    reply = _replied(message)
    if reply is not None and reply.sender is not None and reply.sender.id == me.id:
        return True
    return any(_names(each, text, me) for each in entities)


def _names(entity: Entity, text: str, me: User) -> bool:
    """Return whether an entity mentions the bot or is a command addressed to it."""
    name = f"@{me.username}".casefold()
    match entity.type:
        case "text_mention":
            return entity.user is not None and entity.user.id == me.id
        case "mention":
            return utf16_slice(text, entity).casefold() == name
        case "bot_command":
            return utf16_slice(text, entity).casefold().endswith(name)
    return False


def _replied(message: TelegramMessage) -> TelegramMessage | None:
    """Return the message that was replied to; not the first message of a topic."""
    reply = message.reply_to_message
    first = message.is_topic_message and message.message_thread_id
    return None if reply is None or reply.message_id == first else reply


def _reply_of(message: TelegramMessage) -> str | None:
    reply = _replied(message)
    return None if reply is None else message_id(message.chat.id, reply.message_id)


def _words_of(message: TelegramMessage) -> str:
    """Return a text for a message without one, such as a location."""
    if message.sticker is not None:
        return message.sticker.emoji
    if message.location is not None:
        return f"{message.location.latitude}, {message.location.longitude}"
    if message.contact is not None:
        contact = message.contact
        return f"{contact.first_name} {contact.last_name}".strip() + f" {contact.phone_number}"
    return ""


def _files_of(message: TelegramMessage) -> Iterator[dict[str, Any]]:
    """Yield the metadata of each file, without the URL, which contains the token."""
    if message.photo:
        yield _file("photo", message.photo[-1], "image/jpeg")  # the last is the largest
    for kind in _FILES:
        file = getattr(message, kind)
        if file is not None and not (kind == "document" and message.animation is not None):
            yield _file(kind, file, file.mime_type)


def _file(kind: str, file: File, mime: str | None) -> dict[str, Any]:
    known = {
        "kind": kind,
        "fileId": file.file_id,
        "name": file.file_name,
        "mimeType": mime,
        "sizeBytes": file.file_size,
    }
    return {name: value for name, value in known.items() if value is not None}

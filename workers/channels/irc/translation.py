"""Translates outbound messages into IRC lines, and received lines into messages. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from workers.channels.irc.config import IrcConfig
from workers.channels.irc.conversation import Conversation
from workers.channels.irc.lines import LineError, line
from workers.channels.irc.names import valid_channel
from workers.channels.irc.outputs import Heard, Typing
from workers.channels.irc.texts import room_bytes, split_text
from workers.errors import SendFailed
from workers.messages import Action, Chat, Happened, Inbound, Outbound, Sender

# Any nick that a server may have given, but no list, mask, server or robot address.
MAX_ID = 512  # of workers.messages
_NICK_LIKE = re.compile(r"[^\s,*?!@:$#&\x00-\x1f][^\s,*?!@:\x00-\x1f]*")


def compose(message: Outbound, config: IrcConfig, conversation: Conversation) -> list[str]:
    """Return the lines that carry ``message``. Raises ``SendFailed`` when IRC cannot carry it.

    IRC carries no files: their addresses follow the text, one per line.
    """
    obstacle = conversation.rooms.obstacle(message.to)
    if obstacle is not None:
        raise SendFailed(f"not in {message.to}: {obstacle}", reason="forbidden", retryable=True)
    if not valid_channel(message.to) and not _NICK_LIKE.fullmatch(message.to):
        raise SendFailed(f"not a nick or channel: {message.to!r}", reason="invalid")
    command = "NOTICE" if config.notice else "PRIVMSG"
    text = "\n".join((message.text, *_addresses(message)))
    try:
        room = room_bytes(conversation.mask_bytes, command, message.to, action=message.action)
        parts = split_text(text, room)
        if message.action:
            parts = [f"\1ACTION {part}\1" for part in parts]
        lines = [line(command, message.to, part) for part in parts]
    except (LineError, ValueError) as error:
        raise SendFailed(str(error), reason="invalid") from error
    if not lines:
        raise SendFailed("nothing to say", reason="invalid")
    if len(lines) > config.max_lines:
        text = f"{len(lines)} lines are more than maxLines allows ({config.max_lines})"
        raise SendFailed(text, reason="too_long")
    return lines


def typing_line(action: Action, conversation: Conversation) -> str:
    """Return the line that sends the account's typing state; raises ``SendFailed``."""
    to = action.chat or ""
    if not conversation.tags:
        text = "the network does not pass on typing (it lacks message-tags)"
        raise SendFailed(text, reason="unsupported")
    if not valid_channel(to) and not _NICK_LIKE.fullmatch(to):
        raise SendFailed(f"not a nick or channel: {to!r}", reason="invalid")
    state = "done" if action.remove else "active"
    return f"@+typing={state} {line('TAGMSG', to)}"


def to_happened(typing: Typing, now_ms: int) -> Happened:
    """Return a received typing state as an event."""
    return Happened(
        "typing",
        _chat(typing.nick, typing.room),
        now_ms,
        sender=_sender(typing.nick, typing.login),
        removed=typing.stopped,
    )


def to_inbound(heard: Heard, new_id: Callable[[], str], now_ms: int) -> Inbound:
    """Return a received message as an inbound one.

    ``new_id`` and ``now_ms`` are used where the server gives no id or time.
    """
    meta: dict[str, Any] = {"mask": heard.mask}
    if heard.notice:
        meta["notice"] = True
    if heard.login:
        meta["account"] = heard.login
    if heard.history:
        meta["history"] = True
    return Inbound(
        id=heard.id if heard.id and len(heard.id) <= MAX_ID else new_id(),
        chat=_chat(heard.nick, heard.room),
        sender=_sender(heard.nick, heard.login, bot=heard.robot),
        text=heard.text,
        ts=now_ms if heard.at is None else heard.at,
        addressed=heard.addressed,
        action=heard.action,
        meta=meta,
        named_as=[heard.me] if heard.me else [],
    )


def _chat(nick: str, room: str | None) -> Chat:
    return Chat(nick, "direct") if room is None else Chat(room, "group")


def _sender(nick: str, login: str | None, *, bot: bool = False) -> Sender:
    """Return a sender; verified only if the services account has the same name as the nick."""
    verified = login is not None and login.lower() == nick.lower()
    return Sender(nick, nick, bot=bot, verified=verified)


def _addresses(message: Outbound) -> list[str]:
    for attachment in message.attachments:
        if not attachment.url.startswith(("http://", "https://")):
            text = "IRC carries no files, only their http(s) addresses"
            raise SendFailed(text, reason="unsupported")
    return [attachment.url for attachment in message.attachments]

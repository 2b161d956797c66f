"""Executes actions on messages that a channel supports: ``message.action``."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ipc.errors import RemoteError
from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import WRITE
from runtime.gateway.accounts.account_calls import AN_OBJECT
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, AccountCall, Repeat, method
from runtime.gateway.conversations.origins import chat_in
from runtime.gateway.conversations.presentations import presented
from runtime.gateway.methods.request_parts import MOST_FILES, Free, file_named
from runtime.gateway.methods.send import SEND_SECONDS, delivery, mirrored_in
from runtime.gateway.parts import GatewayParts
from workers.messages import Action, Id, Outbound, Sent

T = TypeVar("T")
Name = Annotated[str, Meta(min_length=1, max_length=64)]

# The inner params are free in the protocol, and its clients spell them in several ways.
CHAT = ("to", "target", "chatId", "channelId")
TEXT = ("message", "text", "content", "newText")
MEDIA = ("media", "mediaUrl", "path", "filePath")
MESSAGE = ("messageId", "message_id", "id")
REPLY = ("replyTo", "replyToId")
THREAD = ("threadId", "thread")


BEFORE = ("before", "beforeId")
EMOJI = ("emoji", "reaction")
# The command line's own; ``targets`` are all those of a broadcast, of which ``to`` is one.
SWITCHES = frozenset({"action", "json", "verbose", "fromMe", "targets"})
OF_SEND = ("markup", "buttons", "poll", "silent")  # fields of ``Outbound`` as they are
COMMON = frozenset({*CHAT, *MESSAGE, *THREAD, "accountId", "channel"})
# Those of ``send`` that have no meaning here are accepted and ignored there too.
HINTS = frozenset({"bestEffort", "gifPlayback", "forceDocument", "asVoice", "filename"})
SEND = COMMON | HINTS | {*TEXT, *MEDIA, *REPLY, *OF_SEND, "mediaUrls", "presentation"}
OTHERS = COMMON | {*TEXT, *BEFORE, *EMOJI, "remove", "limit", "markup"}
POLL = COMMON | {*REPLY, "pollQuestion", "pollOption", "pollMulti", "silent"}
POLL |= {"pollDurationHours", "pollDurationSeconds", "pollAnonymous", "pollPublic"}
READING = frozenset({"history", "chat", "members"})  # actions that change nothing
EMPTY: tuple[Any, ...] = (None, False, "", [])
HIDDEN = "__"  # what OpenClaw's command line adds for its own use begins so
DECIMAL = re.compile("[0-9]{1,9}")


class MessageActionParams(Params):
    """The params of the OpenClaw schema; those that concern agents are accepted and ignored."""

    channel: Name
    action: Name
    params: Free
    idempotency_key: Id
    account_id: str | UnsetType = UNSET
    reply: Free | UnsetType = UNSET
    requester_account_id: str | UnsetType = UNSET
    requester_sender_id: str | UnsetType = UNSET
    sender_is_owner: bool | UnsetType = UNSET
    session_key: str | UnsetType = UNSET
    session_id: str | UnsetType = UNSET
    inbound_turn_kind: str | UnsetType = UNSET
    agent_id: str | UnsetType = UNSET
    tool_context: Free | UnsetType = UNSET
    conversation_read_origin: str | UnsetType = UNSET


@method("message.action", WRITE, MessageActionParams, repeat=Repeat.WITH_KEY, most_bytes=TEXT_BYTES)
def message_action(
    parts: GatewayParts, client: ConnectedClient, params: MessageActionParams
) -> Any:
    """Carry out an action of the channel (`can` in `channels.status`), once per key. The actions
    send, edit, delete, react, read, type, or request history, chat or members. Unknown params are
    refused. With `sessionKey` a sent message is added to that session's transcript. `read` without
    a message is `history`; `poll` takes `pollQuestion`, `pollOption` and `pollMulti`.
    """
    accounts = parts.accounts
    account = None if params.account_id is UNSET else params.account_id
    inner = params.params
    if params.action == "read" and _text(inner, MESSAGE) is None:
        params.action = "history"  # what OpenClaw's clients mean by it
    _refuse_unknown(params.action, inner)
    account = account or _text(inner, ("accountId",))
    key = accounts.resolve("message.action", params.channel, account)
    if params.action == "poll" and "poll" in accounts.channels[params.channel].can.get("can", ()):
        return delivery(parts, key, _poll(params), _receipt)
    if params.action not in accounts.channels[params.channel].actions:
        text = f"channel {params.channel} does not support action {params.action}"
        raise RemoteError(INVALID_REQUEST, text)
    if params.action == "send":
        message = _outbound(params, accounts.channels[params.channel])
        _refuse_unsupported(message, accounts.channels[params.channel])
        named = None if params.session_key is UNSET else params.session_key
        return delivery(parts, key, message, _receipt, session=mirrored_in(parts, named))
    return _action_call(key, params)


def _refuse_unknown(action: str, inner: dict[str, Any]) -> None:
    """Raise ``RemoteError`` for fields that would have no effect, unless they are empty."""
    known = SWITCHES | {"send": SEND, "poll": POLL}.get(action, OTHERS)
    strange = [
        name
        for name, value in inner.items()
        if name not in known and value not in EMPTY and not name.startswith(HIDDEN)
    ]
    if strange:
        names = ", ".join(sorted(strange))[:200]
        text = f"invalid message.action params: {action} takes no {names}"
        raise RemoteError(INVALID_REQUEST, text)


def _refuse_unsupported(message: Outbound, channel: ChannelInfo) -> None:
    """Raise ``RemoteError`` for buttons and polls where the channel has none."""
    can = channel.can.get("can", ())
    for word, wanted in (("buttons", message.buttons), ("poll", message.poll)):
        if wanted and word not in can:
            text = f"channel {channel.id} does not support {word}"
            raise RemoteError(INVALID_REQUEST, text)


def _receipt(sent: Sent) -> dict[str, Any]:
    return {"ok": True, "messageId": sent.id, "chatId": sent.chat, "receipt": {}}


def _action_call(key: str, params: MessageActionParams) -> AccountCall:
    inner = params.params
    chat, message = _chat(params), _text(inner, MESSAGE)
    action = {
        "name": params.action,
        "key": params.idempotency_key,
        "chat": chat,
        "message": message,
        "text": _text(inner, TEXT) or "",
        "emoji": _text(inner, EMOJI),
        "remove": inner.get("remove") is True,
        "markup": inner.get("markup", "plain"),
        "thread": _text(inner, THREAD),
        "before": _text(inner, BEFORE),
        "limit": _number(inner, "limit"),
    }
    payload = msgspec.json.encode(_converted(action, Action))
    answer: dict[str, Any] = {"ok": True}
    answer |= {name: each for name, each in (("messageId", message), ("chatId", chat)) if each}

    return AccountCall(
        key,
        "action",
        payload,
        SEND_SECONDS,
        AN_OBJECT,
        lambda done: answer | done,
        reads=params.action in READING,
    )


def _outbound(params: MessageActionParams, channel: ChannelInfo) -> Outbound:
    inner = _as_text_and_buttons(params.params, channel)
    urls = [url for name in MEDIA if (url := _text(inner, (name,)))]
    listed = inner.get("mediaUrls")
    urls += [url for url in listed if isinstance(url, str)] if isinstance(listed, list) else []
    if len(urls) > MOST_FILES:
        text = f"invalid message.action params: {len(urls)} files; allowed: {MOST_FILES}"
        raise RemoteError(INVALID_REQUEST, text)
    text = _text(inner, TEXT) or ""
    to = _required_chat(params)
    if not text and not urls and not inner.get("poll"):
        raise RemoteError(
            INVALID_REQUEST, "invalid message.action params: text or media is required"
        )
    reply = {} if params.reply is UNSET else params.reply
    message = {
        "to": to,
        "text": text,
        "key": params.idempotency_key,
        "thread": _text(inner, THREAD),
        "replyTo": _text(inner, REPLY) or _text(reply, REPLY),
        "attachments": [file_named(url) for url in dict.fromkeys(urls)],
        **{name: inner[name] for name in OF_SEND if inner.get(name) is not None},
    }
    return _converted(message, Outbound)


def _as_text_and_buttons(inner: dict[str, Any], channel: ChannelInfo) -> dict[str, Any]:
    """Return the params of ``send`` with OpenClaw's presentation replaced by text and buttons."""
    if inner.get("presentation") in EMPTY:
        return inner
    try:
        text, rows = presented(
            inner["presentation"], buttons="buttons" in channel.can.get("can", ())
        )
    except msgspec.ValidationError as error:
        text = f"invalid message.action params: presentation: {error}"
        raise RemoteError(INVALID_REQUEST, text) from None
    made = {"message": "\n\n".join(filter(None, (_text(inner, TEXT), text)))}
    return inner | made | ({"buttons": [*(inner.get("buttons") or []), *rows]} if rows else {})


def _poll(params: MessageActionParams) -> Outbound:
    inner = params.params
    hours = _number(inner, "pollDurationHours")
    poll = {
        "question": _text(inner, ("pollQuestion",)) or "",
        "options": inner.get("pollOption"),
        "multiple": inner.get("pollMulti") is True,
        "seconds": _number(inner, "pollDurationSeconds")
        or (hours * 3600 if type(hours) is int else hours),
    }
    message = {
        "to": _required_chat(params),
        "text": "",
        "key": params.idempotency_key,
        "thread": _text(inner, THREAD),
        "replyTo": _text(inner, REPLY),
        "poll": poll,
        "silent": inner.get("silent") is True,
    }
    return _converted(message, Outbound)


def _required_chat(params: MessageActionParams) -> str:
    chat = _chat(params)
    if chat is None:
        raise RemoteError(INVALID_REQUEST, "invalid message.action params: to is required")
    return chat


def _chat(params: MessageActionParams) -> str | None:
    named = _text(params.params, CHAT)
    return None if named is None else chat_in(params.channel, named)


def _converted(value: dict[str, Any], struct: type[T]) -> T:
    try:
        return msgspec.convert(value, struct)
    except msgspec.ValidationError as error:
        raise RemoteError(INVALID_REQUEST, f"invalid message.action params: {error}") from None


def _number(values: dict[str, Any], name: str) -> Any:
    """Return a number; the command line sends what is typed behind an option, a string."""
    value = values.get(name)
    return int(value) if isinstance(value, str) and DECIMAL.fullmatch(value) else value


def _text(values: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """Return the first value given under one of ``names``; numbers are ids on some platforms."""
    for name in names:
        value = values.get(name)
        if isinstance(value, str) and value:
            return value
        if type(value) is int:
            return str(value)
    return None

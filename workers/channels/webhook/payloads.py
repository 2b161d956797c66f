"""Reads messages from the bodies of webhooks, and writes such bodies. Pure.

A body is one message, or a list of them in ``messages``; either may be in ``data`` of the
envelope that Standard Webhooks recommends (``type``, ``timestamp``, ``data``).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.nesting import MALFORMED, decode_json
from workers.messages import MAX_TEXT, Attachment, Chat, Id, Inbound, Outbound, Sender

MOST_MESSAGES = 100  # in one body
TYPE = "message"  # of the envelope of what is sent
PEER = "webhook"  # chat and sender of a message that names none
LINKS = ("http://", "https://")
_LIKE_A_PART = re.compile(r"/[0-9]+/*\Z")
_encode = msgspec.json.Encoder().encode


class BadBody(Exception):
    """A body is not valid; the text is the reason."""


class WebhookMessage(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One message in a body. Its id comes from the webhook, so it is not a field."""

    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    chat: Id | Chat = PEER
    sender: Id | Sender = PEER
    ts: Annotated[int, Meta(ge=0, lt=1 << 53)] | None = None
    addressed: bool = True
    action: bool = False
    thread: Id | None = None
    reply_to: Id | None = None
    attachments: Annotated[list[Attachment], Meta(max_length=100)] = []
    meta: dict[str, Any] = {}
    mentions: Annotated[list[Id], Meta(max_length=1000)] = []
    named_as: Annotated[list[Id], Meta(max_length=1000)] = []
    edits: Id | None = None


def read(body: bytes, id: str, timestamp: int, trace: str | None = None) -> list[Inbound]:
    """Return the messages of a body that was sent as ``id``; raises ``BadBody``.

    A message gets the webhook's id, the n-th of several ``<id>/<n>``, so a webhook that is sent
    again has the same ids. A single message whose id already looks like that gets a slash appended,
    so that it cannot equal the id of another webhook's message. Its time is ``timestamp``, in epoch
    seconds, unless it has its own. ``trace`` is the trace context of the request.
    """
    try:
        value = decode_json(body, object)
    except MALFORMED as error:
        raise BadBody(f"the body is not JSON: {error}") from None
    if isinstance(value, dict) and "data" in value and "text" not in value:
        value = value["data"]
    if not isinstance(value, dict):
        raise BadBody("the body must be a JSON object with text or messages")
    several = value.get("messages")
    if several is None:
        return [_inbound(value, f"{id}/" if _LIKE_A_PART.search(id) else id, timestamp, trace, "")]
    if set(value) != {"messages"} or not isinstance(several, list):
        raise BadBody("messages must be a list, without other fields beside it")
    if not 1 <= len(several) <= MOST_MESSAGES:
        raise BadBody(f"messages must be 1 to {MOST_MESSAGES}")
    return [
        _inbound(each, f"{id}/{number}", timestamp, trace, f"message {number}: ")
        for number, each in enumerate(several, 1)
    ]


def _inbound(value: Any, id: str, timestamp: int, trace: str | None, where: str) -> Inbound:
    try:
        given = msgspec.convert(value, WebhookMessage)
    except msgspec.ValidationError as error:
        raise BadBody(f"{where}{error}") from None
    if any(not each.url.startswith(LINKS) for each in given.attachments):
        raise BadBody(f"{where}the url of an attachment must begin with {', '.join(LINKS)}")
    chat, sender = given.chat, given.sender
    author = Sender(sender) if isinstance(sender, str) else sender
    return Inbound(
        id=id,
        chat=Chat(chat, "direct") if isinstance(chat, str) else chat,
        # The signature vouches for it: under this secret no one else can write.
        sender=msgspec.structs.replace(author, verified=True),
        text=given.text,
        ts=timestamp * 1000 if given.ts is None else given.ts,
        addressed=given.addressed,
        action=given.action,
        thread=given.thread,
        reply_to=given.reply_to,
        attachments=given.attachments,
        meta=given.meta,
        mentions=given.mentions,
        named_as=given.named_as,
        edits=given.edits,
        trace=trace,
    )


def write(message: Outbound, timestamp: int) -> bytes:
    """Return the body of an outgoing message; ``timestamp`` is in epoch seconds."""
    when = datetime.fromtimestamp(timestamp, UTC).isoformat().replace("+00:00", "Z")
    return _encode({"type": TYPE, "timestamp": when, "data": message})

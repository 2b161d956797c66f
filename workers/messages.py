"""Define the messages that channels, agents and clients exchange. Pure.

Field names on the wire are camelCase; absent fields are omitted. Times are epoch
milliseconds. ``text`` is plain Unicode text without platform markup.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MAX_TEXT = 256 * 1024  # characters; longer than any platform takes, short of the frame limit
Id = Annotated[str, Meta(min_length=1, max_length=512)]


class Attachment(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A file that goes with a message. ``url`` may be ``http(s)``, ``file`` or ``data``."""

    url: str
    mime_type: str | None = None
    name: str | None = None
    size_bytes: int | None = None


class Chat(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The conversation that a message belongs to. ``id`` is what ``send`` takes as ``to``."""

    id: Id
    kind: Literal["direct", "group"]
    title: str | None = None


class Sender(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The author of a message. ``id`` is the platform's; ``bot`` marks a machine."""

    id: Id
    name: str | None = None
    bot: bool = False


class Inbound(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A message from the platform. ``id`` is the platform's, unique within the account.

    ``addressed`` is true when the message is meant for the account: a direct message, or
    one in a group that names it. ``action`` marks a ``/me`` message.
    """

    id: Id
    chat: Chat
    sender: Sender
    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    ts: int
    addressed: bool = False
    action: bool = False
    thread: str | None = None
    reply_to: str | None = None
    attachments: list[Attachment] = []
    meta: dict[str, Any] = {}


class Outbound(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A message to send. ``key`` makes it idempotent: the worker sends each key once (300 s).

    ``markup``: how ``text`` is written. A plugin gets Markdown rendered in the dialect of its
    manifest, and a long text in parts: ``part`` is (k, n), from 1 on, with the key ``<key>/<k>``.
    """

    to: Id
    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    key: Id
    thread: str | None = None
    reply_to: str | None = None
    attachments: list[Attachment] = []
    action: bool = False
    markup: Literal["plain", "markdown"] = "plain"
    part: tuple[int, int] | None = None


class Sent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The result of a send. ``id`` is the platform's where it gives one, else the worker's.

    ``parts`` counts the messages on the platform that carry it.
    """

    id: Id
    chat: str
    ts: int
    parts: int = 1


class Action(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A request to change or mark an existing message.

    ``name`` is one of the manifest's ``actions`` other than ``send``, like ``edit``,
    ``delete``, ``react``, ``read``. ``text`` is the new text of an edit, ``emoji`` a reaction,
    which ``remove`` takes back.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    key: Id
    chat: Id | None = None
    message: Id | None = None
    text: Annotated[str, Meta(max_length=MAX_TEXT)] = ""
    emoji: Annotated[str, Meta(max_length=64)] | None = None
    remove: bool = False


class SentMessage(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An outbound message as it was sent, for the clients that follow the account."""

    id: Id
    to: Id
    text: str
    ts: int
    key: str | None = None
    thread: str | None = None
    reply_to: str | None = None
    attachments: list[Attachment] = []


class MessageEvent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Payload of the event ``channel.message``.

    ``cursor`` is ``<incarnation>:<seq>`` and grows per account; ``redelivered`` is true when
    the same cursor may have been seen before.
    """

    account: str
    channel: str
    account_id: str
    direction: Literal["in", "out"]
    cursor: str
    message: msgspec.Raw  # an Inbound, or a SentMessage when direction is "out"
    redelivered: bool = False

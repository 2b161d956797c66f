"""Defines the messages that channels, agents and clients exchange. Pure.

Field names on the wire are camelCase; absent fields are omitted. Times are epoch
milliseconds. ``text`` is plain Unicode text without platform markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ipc.hidden_fields import hide_fields

MAX_TEXT = 256 * 1024  # characters; longer than any platform takes, short of the frame limit
# Without NUL, where SQLite's JSON functions end a text: for the journal all ids that begin alike
# before it would be one (https://sqlite.org/json1.html).
Id = Annotated[str, Meta(min_length=1, max_length=512, pattern=r"^[^\x00]*$")]
HttpHeaders = list[tuple[str, str]]


class Attachment(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A file that goes with a message.

    ``url`` is ``media:<id>`` for a file of the account's store; that of a message to send may
    also be ``http(s):``, ``file:`` or ``data:``. A file that came and could not be kept has
    the url "", and ``missing`` says why.
    """

    url: str
    mime_type: str | None = None
    name: str | None = None
    size_bytes: int | None = None
    missing: str | None = None


class Chat(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The conversation that a message belongs to. ``id`` is what ``send`` takes as ``to``."""

    id: Id
    kind: Literal["direct", "group"]
    title: str | None = None


class Sender(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The author of a message. ``id`` is the platform's; ``bot`` marks a machine.

    ``verified``: the platform vouches for it, so that no one else can write under this id.
    """

    id: Id
    name: str | None = None
    bot: bool = False
    verified: bool = False


class Inbound(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A message from the platform. ``id`` is unique within the account, over chats and time.

    Where the platform counts per chat it is ``<chat>/<message>``.
    ``addressed`` is true when the message is meant for the account: a direct message, or
    one in a group that names it. ``action`` marks a ``/me`` message. ``mentions`` are the ids of
    those whom it names. ``named_as`` is how the text names the account, as it stands there:
    ``@bot``. ``trace`` is the W3C trace context (``traceparent``) of the request that brought it.
    ``edits``: it is the new text of that earlier message; its own id is then
    that one's with the time or number of the edit.
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
    mentions: list[Id] = []
    named_as: list[Id] = []
    edits: Id | None = None
    trace: Annotated[str, Meta(max_length=64)] | None = None


class Happened(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Something on the platform that is not a message: the event ``channel.event``.

    ``sender`` did it, to ``message`` where it concerns one. ``emoji`` is a reaction, which
    ``removed`` takes back; ``removed`` is also a member who has left. ``data`` is that of the
    button that was pressed, ``choices`` are the options that were voted for. ``id`` is as that
    of ``Inbound``, where the platform has one.
    """

    kind: Literal["deleted", "reaction", "read", "typing", "member", "chat", "pressed", "voted"]
    chat: Chat
    ts: int
    sender: Sender | None = None
    message: Id | None = None
    id: Id | None = None
    emoji: Annotated[str, Meta(max_length=64)] | None = None
    removed: bool = False
    data: Annotated[str, Meta(max_length=4096)] | None = None
    choices: list[str] = []


class Button(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A button below a message: pressed, its ``data`` comes back, or its ``url`` is opened."""

    text: Annotated[str, Meta(min_length=1, max_length=256)]
    data: Annotated[str, Meta(max_length=4096)] | None = None
    url: str | None = None


class Poll(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A question with options to vote for; ``seconds``: how long it is open."""

    question: Annotated[str, Meta(min_length=1, max_length=4096)]
    options: Annotated[list[str], Meta(min_length=2, max_length=100)]
    multiple: bool = False
    seconds: Annotated[int, Meta(ge=1)] | None = None


class Outbound(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A message to send. ``key`` makes it idempotent: the worker sends each key once (300 s).

    ``markup``: how ``text`` is written. A plugin gets it rendered in the dialect of its manifest,
    plain text so that it is shown as it is, and a long text in parts: ``part`` is (k, n), from 1
    on, with the key ``<key>/<k>``.
    ``buttons`` are rows of them; ``silent``: notify no one.
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
    buttons: list[list[Button]] = []
    poll: Poll | None = None
    silent: bool = False


class Sent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The result of a send. ``id`` is the platform's where it gives one, else the worker's.

    ``parts`` counts the messages on the platform that carry it.
    """

    id: Id
    chat: str
    ts: int
    parts: int = 1


def id_in_chat(id: str | None, chat: str | None) -> str:
    """Return the id of a message that includes its chat: ``<chat>/<own id>``.

    Clients of OpenClaw give the platform's own id, and the chat beside it.
    """
    if not id or not chat or "/" in id:
        return id or ""
    return f"{chat.removeprefix('channel:')}/{id}"


def merged(parts: Sequence[Sent]) -> Sent:
    """Return the result of a message from those of its parts, with the first one's id."""
    return msgspec.structs.replace(parts[0], parts=sum(each.parts for each in parts))


class Action(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A request to change or mark an existing message, or to read what the platform knows.

    ``name`` is one of the manifest's ``actions`` other than ``send``. ``text`` is the new text of
    an edit, written in ``markup``; a plugin gets it rendered, as that of a message. ``emoji`` is a
    reaction, which ``remove`` takes back; ``remove`` also ends ``typing``.
    ``history`` and ``members`` return ``limit`` of them at most; ``history`` those before the
    message ``before``.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    key: Id
    chat: Id | None = None
    message: Id | None = None
    text: Annotated[str, Meta(max_length=MAX_TEXT)] = ""
    emoji: Annotated[str, Meta(max_length=64)] | None = None
    remove: bool = False
    markup: Literal["plain", "markdown"] = "plain"
    thread: Id | None = None
    before: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None


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


class ChannelEvent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Payload of the event ``channel.event``; ``cursor`` counts on with ``channel.message``."""

    account: str
    channel: str
    account_id: str
    cursor: str
    happened: msgspec.Raw  # a Happened
    redelivered: bool = False


@hide_fields("query", "headers")
class HttpRequest(msgspec.Struct, frozen=True):
    """A request below the account's address, ``Context.url("")``.

    ``path`` is what stands behind that, decoded (``hook`` for ``Context.url("hook")``), ``query``
    is as it came, without the question mark. The names of ``headers`` are in small letters, a
    name stands there as often as it was sent. ``remote`` is the client's address, behind proxies
    that the gateway trusts too. Nothing of it is proved. A body of more than 1 MiB, which only
    a channel gets that ``can`` ``uploads``, lies in ``body_file`` until the request is answered;
    ``body`` is empty then.
    """

    method: str
    path: str
    query: str
    headers: HttpHeaders
    remote: str
    body: bytes
    body_file: Path | None = None

    def header(self, name: str) -> str | None:
        """Return the value of a header that was sent once; ``None`` for none and for several."""
        found = [value for each, value in self.headers if each == name.lower()]
        return found[0] if len(found) == 1 else None


@hide_fields("headers")
class HttpResponse(msgspec.Struct, frozen=True):
    """The answer to a request: ``status`` from 200 to 599, a body of at most 1 MiB.

    The gateway leaves out headers that are its own to set (``Content-Length``, ``Connection``) or
    would count for all of its pages (``Set-Cookie``, ``Strict-Transport-Security``), and adds
    ``Content-Security-Policy: sandbox``.
    """

    status: int = 200
    body: bytes = b""
    headers: HttpHeaders = []

    @classmethod
    def text(cls, status: int, text: str, *headers: tuple[str, str]) -> HttpResponse:
        """Return an answer of plain text, one sentence say."""
        kind = ("Content-Type", "text/plain; charset=utf-8")
        return cls(status, text.encode(), [kind, *headers])

    @classmethod
    def json(cls, status: int, value: Any, headers: Iterable[tuple[str, str]] = ()) -> HttpResponse:
        """Return an answer of JSON."""
        kind = ("Content-Type", "application/json")
        return cls(status, msgspec.json.encode(value), [kind, *headers])

"""Defines the frames between a worker and the gateway, the data link. Pure.

Every ZeroMQ message is one MessagePack list of frames, each frame an array that starts with
its kind. A payload is JSON that is already encoded, so the gateway passes it on as it is.
"""

from __future__ import annotations

from itertools import chain
from typing import Annotated

import msgspec
from msgspec import Meta

from ipc.errors import FrameError
from ipc.hidden_fields import hide_fields
from ipc.nesting import MALFORMED, require_shallow

PACK_FRAMES = 64  # a fifth more messages a second than with 16 (docs/benchmarks.md)
PACK_BYTES = 64 * 1024
MAX_FRAMES = 1024  # in one body; far above what is packed in practice
MAX_PAYLOAD_BYTES = 1024 * 1024
MAX_CURSOR_BYTES = 64 * 1024
MAX_BODY_BYTES = MAX_PAYLOAD_BYTES + MAX_CURSOR_BYTES + PACK_BYTES
MAX_TURN_BYTES = 768 * 1024  # of what an agent is to answer, as JSON
MAX_HTTP_HEADERS = 128  # of one request or answer
MAX_HTTP_HEAD_BYTES = 32 * 1024  # of all their names and values, with path and query

INBOUND = 1  # flags of a message: it came from the platform
ADDRESSED = 2  # it is meant for the account: a direct message, or one that names it
REDELIVERED = 4  # it may have been handed on before (delivery is at least once)
HISTORY = 8  # it was acknowledged before: for the ring alone, never handed on again
HAPPENED = 16  # it is no message: the payload is that of the event ``channel.event``

Key = Annotated[str, Meta(max_length=129)]
Seq = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Incarnation = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Token = Annotated[str, Meta(max_length=128)]
Payload = Annotated[bytes, Meta(max_length=MAX_PAYLOAD_BYTES)]
TurnId = Annotated[str, Meta(min_length=1, max_length=640)]  # of a run and an attempt at it
Cursor = Annotated[bytes, Meta(max_length=MAX_CURSOR_BYTES)]  # JSON text; empty: none
IdentityText = Annotated[str, Meta(max_length=512)]
HttpText = Annotated[str, Meta(max_length=MAX_HTTP_HEAD_BYTES)]
HttpHeaders = Annotated[list[tuple[HttpText, HttpText]], Meta(max_length=MAX_HTTP_HEADERS)]


class LinkFrame(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """A frame between a worker and one of the others: an array with exactly its fields.

    Whatever more a peer sends is refused, unread: to skip it would recurse as deep as it nests.
    """


@hide_fields("token")
class DataHello(LinkFrame, tag=1, frozen=True):
    """A worker's first frame: its name and proof, and the lowest number that may follow.

    ``kept`` is the lowest it still has, acknowledged ones included; 0: none of those.
    ``waits``: its plugin is not started before it has its cursor, so a ``Welcome`` must come
    before the account runs (``Welcome.early``).
    """

    key: Key
    incarnation: Incarnation
    token: Token
    oldest: Seq
    kept: Seq = 0
    waits: bool = False


class Messages(LinkFrame, tag=2, frozen=True, gc=False):
    """Some ``channel.message`` events in a row.

    ``payloads[i]``, the event's payload as JSON text, has the number ``first + i`` and the
    flags ``flags[i]``. Together in one frame, because a frame costs more than what is in it.
    ``cursor`` is the plugin's position at the platform after the last of them, to be stored in
    the transaction that stores that message.
    """

    first: Seq
    flags: Annotated[bytes, Meta(min_length=1, max_length=MAX_FRAMES)]
    payloads: Annotated[list[Payload], Meta(min_length=1, max_length=MAX_FRAMES)]
    cursor: Cursor = b""

    def __post_init__(self) -> None:
        if len(self.flags) != len(self.payloads):
            raise ValueError(f"{len(self.flags)} flags for {len(self.payloads)} payloads")

    @property
    def last(self) -> int:
        """The number of the last message."""
        return self.first + len(self.payloads) - 1

    def part(self, first: int, last: int) -> Messages:
        """Return the messages with the numbers from ``first`` to ``last``.

        The cursor goes with the last message of the whole, and with no other.
        """
        some = slice(first - self.first, last - self.first + 1)
        cursor = self.cursor if last == self.last else b""
        return Messages(first, self.flags[some], self.payloads[some], cursor)


class Answer(LinkFrame, tag=3, frozen=True, gc=False):
    """The answer to ``Call`` ``id``: JSON of the result, or of an error shape when not ``ok``."""

    id: Seq
    ok: bool
    payload: Payload


class Mark(LinkFrame, tag=4, frozen=True, gc=False):
    """A cursor without a message, to be stored once every message up to ``after`` is.

    Marks are numbered from 1 on; the newest one replaces the others. It is sent again after a
    new ``Welcome``, until an ``Ack`` names it.
    """

    id: Seq
    after: Seq
    cursor: Cursor


class AccountIdentity(LinkFrame, tag=5, frozen=True, gc=False):
    """The account's identity at the platform, such as the id of its bot.

    Cursors belong to it: where another one was stored with the cursor, the cursor is dropped.
    Sent after each hello, before any message, once the plugin has named it.
    """

    id: Annotated[IdentityText, Meta(min_length=1)]


class SendProgress(LinkFrame, tag=6, frozen=True, gc=False):
    """How far the worker has come with a message of several parts, at the attempt of this number.

    ``texts``, JSON text of a list, are its parts as they were rendered; empty: they are known.
    ``sent``, JSON text of a list of ``workers.messages.Sent``, is what came of the first of them.
    """

    key: Annotated[str, Meta(max_length=512)]
    attempt: Seq
    texts: Payload
    sent: Payload


@hide_fields("headers")
class HttpAnswer(LinkFrame, tag=7, frozen=True, gc=False):
    """The plugin's answer to ``HttpCall`` ``id``; headers in order, a name as often as set."""

    id: Seq
    status: Annotated[int, Meta(ge=200, le=599)]
    headers: HttpHeaders
    payload: Payload


class TurnTaken(LinkFrame, tag=8, frozen=True, gc=False):
    """The agent has the turn, and goes on with it from after ``acked``: what came before is gone.

    The answer to each ``TurnBegin``; until it comes that is sent again after each ``Welcome``.
    """

    turn: TurnId
    acked: Seq


class TurnEvents(LinkFrame, tag=9, frozen=True, gc=False):
    """Some events of a turn in a row: ``payloads[i]``, JSON text, has the number ``first + i``.

    What they are: ``workers.agent.TurnEvent``. They are sent again after a new ``Welcome`` until a
    ``TurnAck`` names them. While 64 KiB or 256 events of a turn are not acknowledged it goes no
    further.
    """

    turn: TurnId
    first: Seq
    payloads: Annotated[list[Payload], Meta(min_length=1, max_length=MAX_FRAMES)]

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self.first + len(self.payloads) - 1


class TurnEnded(LinkFrame, tag=10, frozen=True, gc=False):
    """How a turn has ended: JSON text of a ``workers.agent.TurnOutcome``.

    ``seq`` is one more than that of its last event. It is kept until a ``TurnAck`` names it.
    """

    turn: TurnId
    seq: Seq
    payload: Payload


class Welcome(LinkFrame, tag=1, frozen=True):
    """The gateway's answer to ``DataHello``: send, from after ``acked``.

    Where ``wanted`` is not 0, send before that what was acknowledged from ``wanted`` up to
    the ``oldest`` of the hello, marked ``HISTORY``: this gateway has never seen it.
    ``durable``: the account has a journal, so what is acknowledged is stored. ``cursor`` is the
    last stored one, of the account's ``identity`` (empty: no identity was named with it).
    ``early``: the account does not run yet; this brings the cursor to a worker that waits for it,
    or stands before an ``HttpCall`` to an account that a person logs in. Nothing but the answers
    to those may be sent before the next ``Welcome``.
    """

    gateway: Annotated[str, Meta(max_length=128)]
    acked: Seq
    wanted: Seq = 0
    durable: bool = False
    cursor: Cursor = b""
    identity: IdentityText = ""
    early: bool = False


class Ack(LinkFrame, tag=2, frozen=True, gc=False):
    """Acknowledges every message up to and with ``seq``, and every ``Mark`` up to ``mark``.

    They are stored, or handed on where the account has no journal. ``halted``: nothing can be
    stored at the moment, so no more is acknowledged before an ``Ack`` that is not ``halted``.
    """

    seq: Seq
    mark: Seq = 0
    halted: bool = False


class Call(LinkFrame, tag=3, frozen=True, gc=False):
    """A request to the account's plugin; ``params`` is JSON text."""

    id: Seq
    method: Annotated[str, Meta(min_length=1, max_length=128)]
    params: Payload


class Refused(LinkFrame, tag=4, frozen=True):
    """The gateway's refusal of a peer: a wrong token, an earlier incarnation."""

    reason: Annotated[str, Meta(max_length=1024)]


@hide_fields("query", "headers")
class HttpCall(LinkFrame, tag=5, frozen=True, gc=False):
    """An HTTP request to the account's plugin, which has ``seconds`` to answer it.

    ``path`` is what stands behind the account in the request's own, decoded, ``query`` as it came;
    ``headers`` in order, names in small letters, without those that concern the connection alone.
    ``remote`` is the client's address, ``payload`` the body; one that is too large for that lies
    in the account's media directory under the name ``file`` until the request is answered.
    """

    id: Seq
    method: Annotated[str, Meta(min_length=1, max_length=32)]
    path: HttpText
    query: HttpText
    headers: HttpHeaders
    remote: Annotated[str, Meta(max_length=256)]
    seconds: Annotated[float, Meta(gt=0, le=86_400)]
    payload: Payload
    file: Annotated[str, Meta(max_length=64)] = ""


class TurnBegin(LinkFrame, tag=6, frozen=True, gc=False):
    """A turn for an agent: ``payload`` is JSON text of a ``workers.agent.Turn``.

    An agent that has this ``turn`` begins nothing: it sends again what comes after ``after``. With
    an empty ``payload`` it begins nothing in any case, and ends one that it does not have as
    ``aborted``; so it ends one that is over already. The name of a turn is never used again for
    another, nor for another attempt at the same run.
    """

    turn: TurnId
    payload: Annotated[bytes, Meta(max_length=MAX_TURN_BYTES)]
    after: Seq = 0


class TurnAck(LinkFrame, tag=7, frozen=True, gc=False):
    """Acknowledges every event of a turn up to and with ``seq``: they are stored.

    With the number of its end the turn is over, and forgotten by the agent.
    """

    turn: TurnId
    seq: Seq


class TurnCancel(LinkFrame, tag=8, frozen=True, gc=False):
    """Ends a turn now, as ``aborted``; where it has ended already, this changes nothing."""

    turn: TurnId


FromWorker = (
    DataHello
    | Messages
    | Answer
    | Mark
    | AccountIdentity
    | SendProgress
    | HttpAnswer
    | TurnTaken
    | TurnEvents
    | TurnEnded
)
FromGateway = Welcome | Ack | Call | Refused | HttpCall | TurnBegin | TurnAck | TurnCancel

encode = msgspec.msgpack.Encoder().encode
_from_worker: msgspec.msgpack.Decoder[list[FromWorker]] = msgspec.msgpack.Decoder(
    Annotated[list[FromWorker], Meta(max_length=MAX_FRAMES)]
)
_from_gateway: msgspec.msgpack.Decoder[list[FromGateway]] = msgspec.msgpack.Decoder(
    Annotated[list[FromGateway], Meta(max_length=MAX_FRAMES)]
)
_json = msgspec.json.Decoder(msgspec.Raw).decode


def decode_from_worker(body: bytes) -> list[FromWorker]:
    """Return the frames of one message from a worker; raises ``FrameError``."""
    if len(body) > MAX_BODY_BYTES:
        raise FrameError(f"a body of {len(body)} bytes, at most {MAX_BODY_BYTES} are allowed")
    try:
        return _from_worker.decode(body)
    except MALFORMED as error:
        raise FrameError(f"malformed worker frame: {error}") from None


def decode_from_gateway(body: bytes) -> list[FromGateway]:
    """Return the frames of one message from the gateway; raises ``FrameError``."""
    if len(body) > MAX_BODY_BYTES:
        raise FrameError(f"a body of {len(body)} bytes, at most {MAX_BODY_BYTES} are allowed")
    try:
        return _from_gateway.decode(body)
    except MALFORMED as error:
        raise FrameError(f"malformed gateway frame: {error}") from None


def flag_table(flag: int) -> bytes:
    """Return a table for ``bytes.translate`` that makes 1 of flags with this ``flag``, else 0.

    ``1 in flags.translate(table)``: a quarter of the time that deleting all others takes.
    """
    return bytes(bool(flags & flag) for flags in range(256))


def http_head_bytes(headers: list[tuple[str, str]]) -> int:
    """Return how long the names and values of some headers are together.

    Raises ``UnicodeEncodeError``, which is a ``ValueError``, for surrogates.
    """
    text = "".join(chain.from_iterable(headers))
    return len(text) if text.isascii() else len(text.encode())


def check_payload(payload: bytes) -> None:
    """Raise ``FrameError`` unless ``payload`` is one JSON text that every client can take.

    For what a plugin has put together freely; it is spliced into frames unread.
    """
    try:
        check_text(payload)
        require_shallow(payload)
        _json(payload)
    except MALFORMED as error:
        raise FrameError(f"malformed payload: {error}") from None


def check_text(payload: bytes) -> None:
    """Raise ``FrameError`` unless ``payload`` is UTF-8, with no surrogates in it.

    Broken UTF-8 in a text frame makes every client that gets it close with 1007 (RFC 6455,
    section 8.1), so the gateway looks at everything.
    """
    if not payload.isascii():
        try:
            str(payload, "utf-8")
        except UnicodeDecodeError as error:
            raise FrameError(f"malformed payload: {error}") from None

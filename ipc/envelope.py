"""What a worker and the gateway say to each other on the data link.

Every ZeroMQ message is one MessagePack list of frames, each frame an array that starts with
its kind. A payload is JSON that is already encoded, so the gateway passes it on unread.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated

import msgspec
from msgspec import Meta

from ipc.errors import FrameError

PACK_FRAMES = 16  # PERFORMANCE 2a: more per ZeroMQ message gains nothing
PACK_BYTES = 64 * 1024
MAX_PAYLOAD_BYTES = 1024 * 1024
MAX_BODY_BYTES = MAX_PAYLOAD_BYTES + PACK_BYTES

INBOUND = 1  # flags of Message: it came from the platform
ADDRESSED = 2  # it is meant for the account: a direct message, or one that names it
REDELIVERED = 4  # it may have been handed on before (at-least-once, DESIGN section 3)

Key = Annotated[str, Meta(max_length=129)]
Seq = Annotated[int, Meta(ge=0)]
Payload = Annotated[bytes, Meta(max_length=MAX_PAYLOAD_BYTES)]


class Hello(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """First frame of a worker: who it is, and the lowest sequence number that may follow."""

    key: Key
    incarnation: int
    token: Annotated[str, Meta(max_length=128)]
    oldest: Seq


class Message(msgspec.Struct, array_like=True, tag=2, frozen=True, gc=False):
    """One ``channel.message``: ``payload`` is the event's payload as JSON text."""

    seq: Seq
    flags: int
    payload: Payload


class Answer(msgspec.Struct, array_like=True, tag=3, frozen=True, gc=False):
    """The answer to ``Call`` ``id``: JSON of the result, or of an error shape when not ``ok``."""

    id: Seq
    ok: bool
    payload: Payload


class Welcome(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """The gateway's answer to ``Hello``: send, from after ``acked``."""

    gateway: str
    acked: Seq


class Ack(msgspec.Struct, array_like=True, tag=2, frozen=True, gc=False):
    """Every message up to and with ``seq`` has been handed on."""

    seq: Seq


class Call(msgspec.Struct, array_like=True, tag=3, frozen=True, gc=False):
    """A request to the account's plugin; ``params`` is JSON text."""

    id: Seq
    method: Annotated[str, Meta(min_length=1, max_length=128)]
    params: Payload


class Refused(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """The gateway will not talk to this peer (wrong token, an earlier incarnation)."""

    reason: str


FromWorker = Hello | Message | Answer
FromGateway = Welcome | Ack | Call | Refused

encode = msgspec.msgpack.Encoder().encode
_from_worker = msgspec.msgpack.Decoder(list[FromWorker])
_from_gateway = msgspec.msgpack.Decoder(list[FromGateway])


def decode_from_worker(body: bytes) -> list[FromWorker]:
    """Return the frames of one message from a worker; ``FrameError`` says what is wrong with it."""
    try:
        return _from_worker.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError(f"malformed worker frame: {error}") from None


def decode_from_gateway(body: bytes) -> list[FromGateway]:
    """Return the frames of one message from the gateway; ``FrameError`` as above."""
    try:
        return _from_gateway.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError(f"malformed gateway frame: {error}") from None


def peer_name(key: str, incarnation: int) -> str:
    """Return the ZeroMQ routing id of one incarnation, e.g. ``irc:libera#3``."""
    return f"{key}#{incarnation}"


def worker_token(secret: bytes, key: str, incarnation: int) -> str:
    """Return the proof that a worker is the incarnation it says it is.

    An HMAC rather than a random number: the gateway can check it without being told about
    each worker, so neither side depends on the order in which they start.
    """
    return hmac.new(secret, peer_name(key, incarnation).encode(), hashlib.sha256).hexdigest()

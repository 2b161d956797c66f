"""What a worker and the supervisor say to each other on the control link.

Same encoding as the data link: one MessagePack list of frames, each an array that starts
with its kind. Small and rare on purpose: the supervisor carries no chat.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.envelope import Key
from ipc.errors import FrameError

MAX_BODY_BYTES = 64 * 1024


class Hello(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """First frame of a worker: who it is. Proves that the process is up, not that it is ready."""

    key: Key
    incarnation: int
    token: Annotated[str, Meta(max_length=128)]
    pid: int


class Ready(msgspec.Struct, array_like=True, tag=2, frozen=True):
    """The plugin is loaded, configured and running."""


class Beat(msgspec.Struct, array_like=True, tag=3, frozen=True):
    """Sign of life from the worker's event loop, with its own figures.

    ``lag`` is the loop's delay in seconds, ``cpu`` seconds of CPU used so far. ``emitted``
    and ``acked`` are sequence numbers; their difference is what a kill could lose.
    """

    lag: float
    rss_bytes: int
    cpu: float
    fds: int
    queued: int
    queued_bytes: int
    emitted: int
    acked: int
    messages_in: int
    messages_out: int
    dropped: dict[str, int]


class Status(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """Fields of the account's status row that its plugin may set (see ``ipc.report``)."""

    patch: dict[str, Any]


class Pong(msgspec.Struct, array_like=True, tag=5, frozen=True):
    """Answer to ``Ping`` ``id``."""

    id: int


class Ping(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """The supervisor verifies that a silent worker's loop still turns."""

    id: int


FromWorker = Hello | Ready | Beat | Status | Pong
FromSupervisor = Ping

encode = msgspec.msgpack.Encoder().encode
_from_worker = msgspec.msgpack.Decoder(list[FromWorker])
_from_supervisor = msgspec.msgpack.Decoder(list[FromSupervisor])


def decode_from_worker(body: bytes) -> list[FromWorker]:
    """Return the frames of one message from a worker; ``FrameError`` says what is wrong."""
    try:
        return _from_worker.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError(f"malformed control frame: {error}") from None


def decode_from_supervisor(body: bytes) -> list[FromSupervisor]:
    """Return the frames of one message from the supervisor; ``FrameError`` as above."""
    try:
        return _from_supervisor.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError(f"malformed control frame: {error}") from None

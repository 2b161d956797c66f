"""Defines the frames between a worker and the supervisor, the control link. Pure.

Same encoding as the data link: one MessagePack list of frames, each an array that starts
with its kind. Small and rare on purpose: the supervisor carries no chat.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ipc.errors import FrameError
from ipc.frames.data import Incarnation, Key, LinkFrame, Token
from ipc.frames.words import LONGEST_ANSWER, LONGEST_PROMPT, LONGEST_SENTENCE
from ipc.hidden_fields import hide_fields
from ipc.nesting import MALFORMED

MAX_BODY_BYTES = 64 * 1024
MAX_FRAMES = 64  # in one body
MAX_PATCH_DEPTH = 8  # of what a plugin says about itself
MAX_PROBLEM = LONGEST_SENTENCE  # what is wrong with secrets, what is waited for
MAX_REASONS = 256  # under which one worker counts what it dropped

Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]  # neither nan nor infinite: JSON has neither


def _nested(levels: int) -> Any:
    """Return the type of a JSON value of at most so many levels: the decoder goes no deeper."""
    value: Any = None | bool | int | float | str
    plain = value
    for _ in range(levels):
        value = plain | list[value] | dict[str, value]
    return value


if TYPE_CHECKING:
    Patch = dict[str, Any]
else:
    Patch = dict[str, _nested(MAX_PATCH_DEPTH - 1)]


@hide_fields("token")
class ControlHello(LinkFrame, tag=1, frozen=True):
    """A worker's first frame: its name and proof. The process is up, not yet ready."""

    key: Key
    incarnation: Incarnation
    token: Token
    pid: Annotated[int, Meta(ge=1, lt=1 << 31)]


class WorkerReady(LinkFrame, tag=2, frozen=True):
    """The plugin is loaded, configured and running."""


class Beat(LinkFrame, tag=3, frozen=True):
    """Sign of life from the worker's event loop, with its own figures.

    ``lag`` is the loop's delay in seconds, ``cpu`` seconds of CPU used so far. ``rss_bytes``
    includes the programs that the worker has started. ``emitted`` and ``acked`` are sequence
    numbers; their difference is what a kill could lose. ``media_bytes`` is what the files of its
    messages take, ``media_refusal`` why the last one was not stored.
    """

    lag: Seconds
    rss_bytes: Count
    cpu: Seconds
    fds: Count
    queued: Count
    queued_bytes: Count
    emitted: Count
    acked: Count
    messages_in: Count
    messages_out: Count
    dropped: Annotated[
        dict[Annotated[str, Meta(max_length=128)], Count], Meta(max_length=MAX_REASONS)
    ]
    media_bytes: Count = 0
    media_refusal: Annotated[str, Meta(max_length=MAX_PROBLEM)] = ""


class StatusPatch(LinkFrame, tag=4, frozen=True):
    """Fields of the account's status row that its plugin may set (see ``ipc.frames.status``)."""

    patch: Patch


class Pong(LinkFrame, tag=5, frozen=True):
    """Answer to ``Ping`` ``id``."""

    id: Count


class Ping(LinkFrame, tag=1, frozen=True):
    """A question to a silent worker, to verify that its loop still turns."""

    id: Count


class Drained(LinkFrame, tag=6, frozen=True):
    """Answer to ``Drain``: what was in flight is done, and no call is accepted any more."""


class Drain(LinkFrame, tag=2, frozen=True):
    """Accept no more calls, finish running ones, and answer when all messages are acknowledged."""


class BeatInterval(LinkFrame, tag=3, frozen=True):
    """The seconds between two beats from now on."""

    beat: Annotated[float, Meta(gt=0, le=86_400)]


class GatewayUp(LinkFrame, tag=5, frozen=True):
    """Whether the gateway runs, so that it should answer this worker, which is ready."""

    up: bool


class Weigh(LinkFrame, tag=6, frozen=True):
    """Measure the share of memory: the kernel hides it from a supervisor without capabilities."""


class Weighed(LinkFrame, tag=8, frozen=True):
    """Answer to ``Weigh``: the proportional share of memory, 0 where it cannot be read."""

    pss_bytes: Count


class Recheck(LinkFrame, tag=4, frozen=True):
    """Read the secrets anew, and answer whether they differ from those in use."""


class Rechecked(LinkFrame, tag=7, frozen=True):
    """Answer to ``Recheck``: whether a secret has ``changed``, and any ``problem`` with them."""

    changed: bool
    problem: Annotated[str, Meta(max_length=MAX_PROBLEM)] = ""


class WorkerWaits(LinkFrame, tag=9, frozen=True):
    """The worker waits for what is not its fault; the time to become ready does not run meanwhile.

    ``reason`` is one sentence for people; empty: it waits no more.
    """

    reason: Annotated[str, Meta(max_length=MAX_PROBLEM)] = ""


PromptKind = Literal["qr", "code", "ask", "open"]


@hide_fields("text")
class LoginAsked(LinkFrame, tag=10, frozen=True):
    """A person must log the account in; the time to become ready does not run meanwhile.

    ``id`` numbers the prompts of one worker. ``text`` is what to scan, to enter at the platform,
    to answer or to open, by ``kind``; ``secret``: the answer is not shown. It holds for ``expires``
    seconds; 0: as long as the worker waits.
    """

    id: Count
    kind: PromptKind
    text: Annotated[str, Meta(max_length=LONGEST_PROMPT)]
    hint: Annotated[str, Meta(max_length=MAX_PROBLEM)] = ""
    secret: bool = False
    expires: Seconds = 0.0


class LoginOver(LinkFrame, tag=11, frozen=True):
    """The worker no longer asks for a login: it has one, or continues without."""


@hide_fields("text")
class LoginAnswer(LinkFrame, tag=7, frozen=True):
    """A person's answer to the ``LoginAsked`` of this ``id``. It may be a secret."""

    id: Count
    text: Annotated[str, Meta(max_length=LONGEST_ANSWER)]


class LoginTaken(LinkFrame, tag=12, frozen=True):
    """Answer to ``LoginAnswer`` ``id``: it was taken, or why not."""

    id: Count
    problem: Annotated[str, Meta(max_length=MAX_PROBLEM)] = ""


FromWorker = (
    ControlHello
    | WorkerReady
    | Beat
    | StatusPatch
    | Pong
    | Drained
    | Rechecked
    | Weighed
    | WorkerWaits
    | LoginAsked
    | LoginOver
    | LoginTaken
)
FromSupervisor = Ping | Drain | BeatInterval | Recheck | GatewayUp | Weigh | LoginAnswer

encode = msgspec.msgpack.Encoder().encode
_from_supervisor: msgspec.msgpack.Decoder[list[FromSupervisor]] = msgspec.msgpack.Decoder(
    Annotated[list[FromSupervisor], Meta(max_length=MAX_FRAMES)]
)


@cache
def _from_worker() -> msgspec.msgpack.Decoder[list[FromWorker]]:
    """Return the decoder of a worker's frames; no zygote waits for it, only supervisors decode."""
    return msgspec.msgpack.Decoder(Annotated[list[FromWorker], Meta(max_length=MAX_FRAMES)])


def decode_from_worker(body: bytes) -> list[FromWorker]:
    """Return the frames of one message from a worker; raises ``FrameError``."""
    _check_size(body)
    try:
        frames = _from_worker().decode(body)
    except MALFORMED as error:
        raise FrameError(f"malformed control frame: {error}") from None
    for frame in frames:
        if type(frame) is StatusPatch and not _plain(frame.patch, MAX_PATCH_DEPTH):
            raise FrameError("malformed control frame: a patch that is too deep or not JSON")
    return frames


def decode_from_supervisor(body: bytes) -> list[FromSupervisor]:
    """Return the frames of one message from the supervisor; raises ``FrameError``."""
    _check_size(body)
    try:
        return _from_supervisor.decode(body)
    except MALFORMED as error:
        raise FrameError(f"malformed control frame: {error}") from None


def _check_size(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise FrameError(f"a body of {len(body)} bytes, at most {MAX_BODY_BYTES} are allowed")


def _plain(value: Any, depth: int) -> bool:
    """Return whether a value is JSON: MessagePack also knows bytes, dates, odd keys."""
    if isinstance(value, dict):
        return depth > 0 and all(
            isinstance(key, str) and _plain(item, depth - 1) for key, item in value.items()
        )
    if isinstance(value, list):
        return depth > 0 and all(_plain(item, depth - 1) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)

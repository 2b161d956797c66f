"""Defines the rows of the outbox, and the records that change them. Pure.

A row is a message that is to be sent, from its acceptance until its key may be used again. Every
step of it is a record; what a record changes is decided here, for every journal alike.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from workers.messages import Sent

RowState = Literal["queued", "attempting", "sent", "failed", "unknown", "expired"]
Origin = Literal["send", "queue", "agent", "preview"]

KEY_SECONDS = 7 * 86400.0  # for so long a key is known again
PAST = 16  # attempts whose times are kept, the last ones


class PastAttempt(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A failed attempt to send a message. Times are epoch milliseconds."""

    at: int
    ended: int
    reason: str = ""


class OutgoingRow(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The state of an outgoing message. Times are epoch milliseconds.

    ``key`` is the idempotency key, ``id`` its short public name, ``digest`` tells another content
    under the same key. ``origin``: a caller waits for it (``send``), was told that it is queued
    (``queue``), it is an agent's answer, or the preview of one. ``edits`` is the key of the preview
    that it takes the place of. ``attempts`` counts them, ``incarnation`` is that of
    the worker which has the last one, ``first_attempt`` and ``last_attempt`` when the first and the
    last began, ``past`` holds those that have ended before the last. It is not tried
    before ``next``, nor after ``expires``; it was over when it ``ended``. ``reason`` and ``error``
    say what came of the last attempt. ``sent`` holds the parts that were sent. ``letter``: it is a
    dead letter, which a person decides about.
    """

    key: str
    id: str
    chat: str
    digest: str = ""
    state: RowState = "queued"
    origin: Origin = "send"
    at: int = 0
    expires: int = 0
    attempts: int = 0
    incarnation: int = 0
    first_attempt: int = 0
    next: int = 0
    reason: str = ""
    error: str = ""
    sent: list[Sent] = []
    letter: bool = False
    edits: str = ""
    last_attempt: int = 0
    past: list[PastAttempt] = []
    ended: int = 0

    @property
    def asks_nobody(self) -> bool:
        """Whether no person must decide about it: its caller decides, or it was a preview."""
        return self.origin in ("send", "preview")

    @property
    def is_open(self) -> bool:
        """Whether it is still to be sent."""
        return self.state in ("queued", "attempting")


class OutgoingMessage(msgspec.Struct, frozen=True):
    """A row with its content, the JSON text of an ``Outbound``.

    ``texts`` is the JSON text of the list of its rendered parts, once it was made of several.
    """

    row: OutgoingRow
    message: bytes
    texts: bytes = b""

    @property
    def size(self) -> int:
        """The size of its content in bytes."""
        return len(self.message) + len(self.texts)


class OpenRow(msgspec.Struct, frozen=True):
    """The row of an unsent message, and the size of its content in bytes."""

    row: OutgoingRow
    size: int


class Queued(msgspec.Struct, frozen=True):
    """An outgoing message was accepted; its row may begin as ``attempting``."""

    key: str
    outgoing: OutgoingMessage


class Attempt(msgspec.Struct, frozen=True):
    """An attempt begins: stored before anything goes to the worker."""

    key: str
    row: str
    number: int
    incarnation: int
    at: int
    first_attempt: int


class Postponed(msgspec.Struct, frozen=True):
    """An attempt failed; the next one is not before ``next``."""

    key: str
    row: str
    next: int
    reason: str = ""
    error: str = ""
    past: list[PastAttempt] = []


class PartsRendered(msgspec.Struct, frozen=True):
    """The parts of a message were rendered; all attempts send these."""

    key: str
    row: str
    texts: bytes


class PartsSent(msgspec.Struct, frozen=True):
    """The first parts of a message were sent, with their results."""

    key: str
    row: str
    sent: list[Sent]


class Delivered(msgspec.Struct, frozen=True):
    """All of a message was sent."""

    key: str
    row: str
    sent: list[Sent]
    at: int = 0


class GivenUp(msgspec.Struct, frozen=True):
    """A message was given up; as a dead ``letter`` it waits for a person."""

    key: str
    row: str
    state: Literal["failed", "unknown", "expired"]
    reason: str = ""
    error: str = ""
    letter: bool = False
    at: int = 0


class Released(msgspec.Struct, frozen=True):
    """A dead letter is tried again, since ``at``."""

    key: str
    row: str
    at: int
    expires: int
    origin: Origin


class Discarded(msgspec.Struct, frozen=True):
    """A person discarded a dead letter."""

    key: str
    row: str


RowRecord = (
    Attempt | Postponed | PartsRendered | PartsSent | Delivered | GivenUp | Released | Discarded
)


class Known(msgspec.Struct, frozen=True):
    """The existing rows of messages with known keys, by key."""

    rows: dict[str, OutgoingRow]


def changes_of(record: RowRecord) -> dict[str, Any]:
    """Return the fields of its row that a record sets."""
    match record:
        case Attempt():
            return {
                "state": "attempting",
                "attempts": record.number,
                "incarnation": record.incarnation,
                "first_attempt": record.first_attempt,
                "last_attempt": record.at,
            }
        case Postponed():
            return {
                "state": "queued",
                "next": record.next,
                "reason": record.reason,
                "error": record.error,
                "past": record.past,
            }
        case PartsRendered():
            return {}
        case PartsSent():
            return {"sent": record.sent}
        case Delivered():
            ended = {"state": "sent", "reason": "", "error": "", "ended": record.at}
            return ended | {"sent": record.sent}
        case GivenUp():
            return {
                "state": record.state,
                "reason": record.reason,
                "error": record.error,
                "letter": record.letter,
                "ended": record.at,
            }
        case Released():
            return {
                "state": "queued",
                "origin": record.origin,
                "at": record.at,
                "expires": record.expires,
                "next": 0,
                "first_attempt": 0,
                "letter": False,
                "ended": 0,
            }
        case Discarded():
            return {"letter": False}


def past_of(row: OutgoingRow, now: int, reason: str) -> list[PastAttempt]:
    """Return the past attempts of a row after its current one ended at ``now``."""
    last = PastAttempt(row.last_attempt or row.first_attempt, now, reason)
    return [*row.past, last][-PAST:]


def drops_message(record: RowRecord) -> bool:
    """Return whether the message's content is no longer needed after a record."""
    match record:
        case Delivered() | Discarded():
            return True
        case GivenUp():  # what surely was not sent may be tried again with its key
            return record.state == "unknown" and not record.letter
    return False


def changed_message(outgoing: OutgoingMessage, record: RowRecord) -> OutgoingMessage:
    """Return a row and its message after a record."""
    row = msgspec.structs.replace(outgoing.row, **changes_of(record))
    if drops_message(record):
        return OutgoingMessage(row, b"")
    texts = record.texts if isinstance(record, PartsRendered) else outgoing.texts
    return OutgoingMessage(row, outgoing.message, texts)


_NAMES = dict(zip(OutgoingRow.__struct_fields__, OutgoingRow.__struct_encode_fields__, strict=True))


def patch_of(record: RowRecord) -> dict[str, Any]:
    """Return what a record sets, and of which row, as a merge patch of the row's JSON."""
    return {"key": record.row} | {_NAMES[name]: each for name, each in changes_of(record).items()}

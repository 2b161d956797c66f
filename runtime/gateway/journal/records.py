"""Defines the records of the journal, and their effects on the account's state. Pure.

Every step is one record of one account, so a journal never has to write two accounts together.
What a record means is decided here, for every implementation alike: which messages are repeated,
what an account's place is afterwards. An implementation only keeps the results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import msgspec

from ipc.frames.cursors import Cursor, has_all_after
from runtime.gateway.journal.conversations import EntriesAdded, SessionChanged, SessionDeleted
from runtime.gateway.journal.items import ItemsChanged
from runtime.gateway.journal.outgoing import Known, OutgoingMessage, Queued, RowRecord
from runtime.gateway.journal.people import PeopleChanged, Person
from runtime.gateway.journal.runs import Run, RunQueued, RunRecord

_NEVER = (0, 0)

# Reads the flags and the payloads of the frames that are stored together.
read_body = msgspec.msgpack.Decoder(tuple[bytes, list[bytes]]).decode

Skips = tuple[int, int] | None  # repeated messages in a row: the first one and the last one


class Arrived(msgspec.Struct, frozen=True):
    """Numbered frames of one incarnation (see ``ipc.frames.data.Messages``).

    ``ids`` are what identifies each at its platform; ``None``: nothing that could repeat.
    ``cursor``, where there is one, is the plugin's position after the last of them. ``at`` is
    epoch milliseconds.
    """

    key: str
    incarnation: int
    first: int
    flags: bytes
    payloads: list[bytes]
    ids: list[str | None]
    cursor: bytes = b""
    at: int = 0


class Marked(msgspec.Struct, frozen=True):
    """A plugin's cursor without a message."""

    key: str
    cursor: bytes


class Identified(msgspec.Struct, frozen=True):
    """The account's identity at its platform; a cursor of another one is dropped."""

    key: str
    identity: str


class Left(msgspec.Struct, frozen=True):
    """The account continues without the journal, which will lack its later messages."""

    key: str


class Withheld(NamedTuple):
    """A message of which no text is kept, and the reason in one word."""

    cursor: Cursor
    reason: str


class Answered(msgspec.Struct, frozen=True):
    """Answers to send, and the position up to which a consumer has answered everything.

    ``people`` are those who get the instructions for being admitted, ``runs`` those that will
    answer. The messages in ``redactions`` have no text once the record is stored; the messages up
    to ``heard`` will not be read again.
    """

    key: str
    position: Cursor
    answers: list[OutgoingMessage] = []
    people: list[Person] = []
    runs: list[Run] = []
    redactions: list[Withheld] = []
    heard: Cursor = _NEVER


Frameless = (
    Marked
    | Identified
    | Left
    | Answered
    | PeopleChanged
    | Queued
    | RowRecord
    | RunQueued
    | RunRecord
    | SessionChanged
    | SessionDeleted
    | EntriesAdded
    | ItemsChanged
)
Record = Arrived | Frameless


class Part(msgspec.Struct, frozen=True):
    """Consecutive frames without repeated ones: the first number, flags, payloads."""

    first: int
    flags: bytes
    payloads: list[bytes]

    @property
    def last(self) -> int:
        """The number of the last frame."""
        return self.first + len(self.payloads) - 1


class Kept(msgspec.Struct, frozen=True):
    """The outcome of an ``Arrived``: the stored parts, and the number of repeated frames."""

    parts: list[Part]
    repeated: int = 0


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """The position of an account in the journal.

    ``incarnation`` and ``seq`` are of its newest frame. Everything after ``floor`` is there;
    ``whole`` is false while the next frame will not follow the last one. ``settled`` is the
    position of the consumer that answers, ``None`` before its first. ``skips`` are the repeated
    messages that no event has named yet. ``lost_identity`` is one whose cursor was
    dropped, ``known`` counts the ids that are remembered, ``cursor`` is the plugin's position,
    kept beside the rest because it may be large. ``entries`` is the number of the newest entry of
    a transcript that came with a record of the account. ``heard`` is as ``Answered`` has it,
    ``withheld`` how many bytes are kept of redacted messages.
    """

    key: str
    number: int
    incarnation: int = 0
    seq: int = 0
    floor: Cursor | None = None
    whole: bool = True
    settled: Cursor | None = None
    skips: Skips = None
    identity: str = ""
    lost_identity: str = ""
    known: int = 0
    cursor: bytes = b""
    entries: int = 0
    heard: Cursor | None = None
    withheld: int = 0

    @property
    def newest(self) -> Cursor:
        """The cursor of the newest frame."""
        return self.incarnation, self.seq


def add_frames(
    place: Place, record: Arrived, ids: list[str | None], repeated: Collection[str]
) -> tuple[Place, Kept]:
    """Return the account's place after new frames, and the frames to keep, without repeated ones.

    ``repeated`` are those of ``ids`` that the account has had before; an id that comes twice in
    the record itself is found here.
    """
    same = record.incarnation == place.incarnation
    skips = place.skips if same else None
    follows = place.whole and (record.first == place.seq + 1 if same else record.first == 1)
    floor = place.floor
    if floor is None or not follows:
        floor = record.incarnation, record.first - 1
    some = [each for each in ids if each is not None]
    if not skips and not repeated and len(set(some)) == len(some):
        parts, gone = [Part(record.first, record.flags, record.payloads)], 0
    else:
        parts, skips, gone = _without_repeated(record, ids, set(repeated), skips)
    after = msgspec.structs.replace(
        place,
        incarnation=record.incarnation,
        seq=record.first + len(record.payloads) - 1,
        floor=floor,
        whole=True,
        skips=skips,
        known=place.known + len({*some}.difference(repeated)),
        cursor=record.cursor or place.cursor,
    )
    return after, Kept(parts, gone)


def _without_repeated(
    record: Arrived, ids: list[str | None], seen: set[str], skips: Skips
) -> tuple[list[Part], Skips, int]:
    """Split frames around those that are repeated; the next one after such names them."""
    parts: list[Part] = []
    payloads: list[bytes] = []
    first = record.first
    gone = 0

    def end(before: int) -> None:
        if payloads:
            flags = record.flags[first - record.first : before - record.first]
            parts.append(Part(first, flags, list(payloads)))
            payloads.clear()

    for number, payload in enumerate(record.payloads, record.first):
        known = ids[number - record.first]
        if known is not None and known in seen:
            end(number)
            first = number + 1
            gone += 1
            skips = (number if skips is None else skips[0], number)
            continue
        if known is not None:
            seen.add(known)
        if skips is not None:
            payload = naming(payload, *skips)
            skips = None
        payloads.append(payload)
    end(record.first + len(record.payloads))
    return parts, skips, gone


def naming(payload: bytes, first: int, last: int) -> bytes:
    """Return an event's payload with the numbers before it that will never come.

    A single one is named as itself, several in a row as ``[first, last]``.
    """
    named = b"%d" % first if first == last else b"[%d,%d]" % (first, last)
    return payload[:-1] + b',"skips":[%b]}' % named


Outcome = Kept | Known | None  # what became of a record; ``None``: as it stands there


def change(place: Place, record: Frameless) -> Place:
    """Return the account's place after a record without frames."""
    replace: Callable[..., Any] = msgspec.structs.replace
    match record:
        case Marked():
            after = replace(place, cursor=record.cursor)
        case Identified():
            after = _identified(place, record.identity)
        case Left():
            after = replace(place, whole=False)
        case Answered():
            settled = max(record.position, place.settled or _NEVER)
            heard = max(record.heard, place.heard or _NEVER)
            after = replace(place, settled=settled, heard=heard if heard > _NEVER else None)
        case _:
            after = place
    return after  # type: ignore[no-any-return]


def _identified(place: Place, identity: str) -> Place:
    """Return the place of an account that has named itself; a cursor of another is dropped."""
    if identity == place.identity:
        return place
    lost = place.identity if place.identity and place.cursor else ""
    cursor = b"" if place.identity else place.cursor
    return msgspec.structs.replace(place, identity=identity, lost_identity=lost, cursor=cursor)


def is_complete(place: Place | None, cursor: Cursor) -> bool:
    """Return whether all that came after ``cursor`` is in the journal."""
    if place is None:
        return has_all_after(None, cursor)
    return place.whole and has_all_after(place.floor, cursor)


def from_cursor(incarnation: int, part: Part, cursor: Cursor) -> Part | None:
    """Return what of a part came after ``cursor``, ``None`` where nothing did."""
    if (incarnation, part.last) <= cursor:
        return None
    if incarnation > cursor[0] or part.first > cursor[1]:
        return part
    skip = cursor[1] + 1 - part.first
    return Part(cursor[1] + 1, part.flags[skip:], part.payloads[skip:])

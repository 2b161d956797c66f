"""Encodes the slots of a history as file records, and decodes complete ones. Pure.

A record is its length, its CRC-32 and its body; the first letter of the body says what it is: where
the accounts stand (``P``, JSON), or a slot (``S``). What follows a damaged record is not read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.figures.history_ring import BYTES, AccountPlace

_HEAD = struct.Struct("<II")
_NUMBER = struct.Struct("<Q")
MOST_BYTES = 16 * 1024 * 1024  # of a record


class AccountPlaces(msgspec.Struct, frozen=True):
    """The places of accounts from slot ``number`` on.

    ``origin`` is the first slot of the history that this file belongs to.
    """

    origin: int
    number: int
    places: dict[str, tuple[int, int]]


class Segment(msgspec.Struct, frozen=True):
    """The contents of a file: its last places, its slots, and the size of its valid part."""

    places: AccountPlaces | None = None
    rows: list[tuple[int, bytes]] = []
    size: int = 0


def places_record(origin: int, number: int, places: Mapping[str, AccountPlace]) -> bytes:
    """Return the record of the accounts' places."""
    plain = {key: (place.at, place.since) for key, place in places.items()}
    return _framed(b"P" + msgspec.json.encode(AccountPlaces(origin, number, plain)))


def slot_record(number: int, row: bytes) -> bytes:
    """Return the record of a slot."""
    return _framed(b"S" + _NUMBER.pack(number) + row)


def read_segment(data: bytes) -> Segment:
    """Decode the valid part of a file; it also ends at a slot without places before it."""
    places: AccountPlaces | None = None
    rows: list[tuple[int, bytes]] = []
    size = 0
    for body, end in _bodies(data):
        if body[:1] == b"P":
            try:
                places = decode_json(body[1:], AccountPlaces)
            except MALFORMED:
                break
        else:
            if places is None or len(body) < 9 or (len(body) - 9) % BYTES:
                break
            rows.append((_NUMBER.unpack_from(body, 1)[0], body[9:]))
        size = end
    return Segment(places, rows, size)


def united(segments: Iterable[Segment]) -> tuple[AccountPlaces | None, list[tuple[int, bytes]]]:
    """Merge segments of one history: return the newest places, and all slots in order."""
    known = [(each.places, each.rows) for each in segments if each.places is not None]
    newest = max((places for places, _ in known), key=lambda each: each.number, default=None)
    if newest is None:
        return None, []
    rows = [row for places, found in known if places.origin == newest.origin for row in found]
    return newest, sorted(rows)


def _framed(body: bytes) -> bytes:
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _bodies(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the bodies of complete records, each with its end offset."""
    start = 0
    while start + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, start)
        start += _HEAD.size
        body = data[start : start + length]
        if not 0 < length <= MOST_BYTES or len(body) < length or zlib.crc32(body) != crc:
            return
        start += length
        yield body, start

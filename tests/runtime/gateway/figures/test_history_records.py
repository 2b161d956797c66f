"""Records of a history: what is read of a file that is whole, cut or damaged."""

from __future__ import annotations

import pytest

from runtime.gateway.figures.history_records import (
    Segment,
    places_record,
    read_segment,
    slot_record,
    united,
)
from runtime.gateway.figures.history_ring import BYTES, AccountPlace

ROW = bytes(range(BYTES))
PLACES = places_record(3, 3, {"irc:a": AccountPlace(0, 3)})
WHOLE = PLACES + slot_record(3, ROW) + slot_record(4, ROW)


def test_what_was_written_is_read() -> None:
    found = read_segment(WHOLE)
    assert found.places is not None
    assert (found.places.origin, found.places.places) == (3, {"irc:a": (0, 3)})
    assert found.rows == [(3, ROW), (4, ROW)]
    assert found.size == len(WHOLE)


def test_every_cut_leaves_what_is_whole_before_it() -> None:
    ends = [0, len(PLACES), len(PLACES) + (len(WHOLE) - len(PLACES)) // 2, len(WHOLE)]
    for size in range(len(WHOLE)):
        found = read_segment(WHOLE[:size])
        assert found.size == max(end for end in ends if end <= size)
        assert len(found.rows) == max(0, ends.index(found.size) - 1)


def test_every_damaged_byte_ends_the_file_before_its_record() -> None:
    for place in range(len(WHOLE)):
        data = bytearray(WHOLE)
        data[place] ^= 0xFF
        found = read_segment(bytes(data))
        assert found.size <= place


@pytest.mark.parametrize(
    "data",
    [
        slot_record(1, ROW),  # without places
        PLACES + slot_record(1, ROW[1:]),
        PLACES + PLACES[:8] + b"x" * 64,
        b"\0" * 4096,
    ],
)
def test_what_means_nothing_is_not_read(data: bytes) -> None:
    assert read_segment(data).rows == []


def test_the_slots_of_all_files_of_one_history_are_put_in_order() -> None:
    older = read_segment(WHOLE)
    newer = read_segment(places_record(3, 9, {"irc:b": AccountPlace(1, 9)}) + slot_record(9, ROW))
    strange = read_segment(places_record(1, 1, {}) + slot_record(1, ROW))
    places, rows = united([newer, Segment(), older, strange])
    assert places is newer.places
    assert [number for number, _ in rows] == [3, 4, 9]
    assert united([Segment()]) == (None, [])

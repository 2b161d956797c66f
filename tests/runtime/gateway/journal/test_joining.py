"""Which frames and ids of an account become one row."""

from __future__ import annotations

import pytest

from runtime.gateway.journal.joining import (
    ROW_BYTES,
    ROW_FRAMES,
    ROW_IDS,
    ROW_MS,
    JoinedFrames,
    JoinedIds,
)
from runtime.gateway.journal.records import Part

NOW = 1_000


def part(first: int, count: int, size: int = 1) -> Part:
    """Return frames in a row."""
    return Part(first, bytes([first]) * count, [b"%d" % first * size] * count)


def test_frames_in_a_row_are_one_row_with_the_flags_and_payloads_of_each() -> None:
    joined = JoinedFrames(7, NOW, part(1, 2))
    assert joined.add(7, NOW + 1, part(3, 1))
    assert joined.add(7, NOW + 2, part(4, 2))
    assert (joined.incarnation, joined.first, joined.last, joined.at) == (7, 1, 5, NOW)
    assert joined.contents() == (b"\x01\x01\x03\x04\x04", [b"1", b"1", b"3", b"4", b"4"])


@pytest.mark.parametrize(
    ("incarnation", "at", "more"),
    [
        (8, NOW, part(3, 1)),
        (7, NOW, part(4, 1)),  # one is missing, or was repeated
        (7, NOW, part(3, ROW_FRAMES - 1)),
        (7, NOW, part(3, 1, ROW_BYTES)),
        (7, NOW + ROW_MS + 1, part(3, 1)),
        (7, NOW - 1, part(3, 1)),
    ],
)
def test_what_does_not_belong_to_the_row_is_left_alone(
    incarnation: int, at: int, more: Part
) -> None:
    joined = JoinedFrames(7, NOW, part(1, 2))
    assert not joined.add(incarnation, at, more)
    assert joined.contents() == (b"\x01\x01", [b"1", b"1"])


def test_a_row_may_be_filled_to_its_bounds() -> None:
    joined = JoinedFrames(7, NOW, part(1, 2))
    assert joined.add(7, NOW + ROW_MS, part(3, ROW_FRAMES - 2))
    assert not joined.add(7, NOW, part(ROW_FRAMES + 1, 1))
    assert JoinedFrames(7, NOW, part(1, 1)).add(7, NOW, part(2, 1, ROW_BYTES - 1))


def test_ids_are_one_row_up_to_its_bounds() -> None:
    given = ["a"]
    joined = JoinedIds(NOW, given)
    assert joined.add(NOW + ROW_MS, ["b"] * (ROW_IDS - 1))
    assert not joined.add(NOW, ["c"])
    assert len(joined.ids) == ROW_IDS
    assert given == ["a"]  # the caller's
    assert not JoinedIds(NOW, ["a"]).add(NOW, ["b" * ROW_BYTES])
    assert not JoinedIds(NOW, ["a"]).add(NOW + ROW_MS + 1, ["b"])
    assert not JoinedIds(NOW, ["a"]).add(NOW - 1, ["b"])

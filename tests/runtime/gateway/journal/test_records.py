"""What a record changes at its account: ids, repeated messages, positions."""

from __future__ import annotations

import pytest

from runtime.gateway.journal.records import (
    Answered,
    Arrived,
    Identified,
    Left,
    Marked,
    Part,
    Place,
    add_frames,
    change,
    from_cursor,
    is_complete,
    naming,
)
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, arrived, shown

PART = Part(5, b"\1\2\3", [b"five", b"six", b"seven"])


def test_however_many_are_repeated_the_next_message_names_them_shortly() -> None:
    place = Place(KEY, 1, 1, 3, (1, 0))
    for number in range(4, 5000):
        place, kept = add_frames(place, arrived(number, "old"), ["old"], {"old"})
        assert (kept.parts, kept.repeated) == ([], 1)
    place, kept = add_frames(place, arrived(5000, "new"), ["new"], {"old"})
    assert shown(kept.parts[0].payloads[0]) == "1:5000 new skips [[4, 4999]]"
    assert place.skips is None


@pytest.mark.parametrize(
    ("place", "record", "floor"),
    [
        (Place(KEY, 1), arrived(5, "a"), (1, 4)),
        (Place(KEY, 1, 1, 4, (1, 0)), arrived(5, "a"), (1, 0)),
        (Place(KEY, 1, 1, 3, (1, 0)), arrived(5, "a"), (1, 4)),
        (Place(KEY, 1, 1, 4, (1, 0), whole=False), arrived(5, "a"), (1, 4)),
        (Place(KEY, 1, 1, 4, (1, 0)), arrived(1, "a", incarnation=2), (1, 0)),
        (Place(KEY, 1, 1, 4, (1, 0)), arrived(2, "a", incarnation=2), (2, 1)),
    ],
    ids=["first ever", "follows", "hole", "was away", "next incarnation", "its first is missing"],
)
def test_the_floor_rises_where_something_is_missing(
    place: Place, record: Arrived, floor: tuple[int, int]
) -> None:
    after, _ = add_frames(place, record, ["a"], set())
    assert after.floor == floor
    assert after.whole


def test_a_message_names_one_number_or_several_in_a_row() -> None:
    assert shown(naming(payload(KEY, 9, id="x"), 3, 3)) == "1:9 x skips [3]"
    assert shown(naming(payload(KEY, 9, id="x"), 5, 7)) == "1:9 x skips [[5, 7]]"


def test_a_pack_is_split_around_what_is_repeated_and_keeps_its_flags() -> None:
    payloads = [payload(KEY, n) for n in range(4, 8)]
    record = Arrived(KEY, 1, 4, b"\1\3\1\0", payloads, ["a", "b", "c", None])
    _, kept = add_frames(Place(KEY, 1, 1, 3, (1, 0)), record, record.ids, {"b"})
    assert [(part.first, part.last, part.flags) for part in kept.parts] == [
        (4, 4, b"\1"),
        (6, 7, b"\1\0"),
    ]


def test_a_position_never_goes_back() -> None:
    place = change(Place(KEY, 1), Answered(KEY, (2, 5)))
    assert change(place, Answered(KEY, (1, 9))).settled == (2, 5)
    assert change(place, Answered(KEY, (2, 6))).settled == (2, 6)


def test_the_first_identity_keeps_the_cursor_and_another_drops_it() -> None:
    place = change(change(Place(KEY, 1), Marked(KEY, b"7")), Identified(KEY, "one"))
    assert (place.cursor, place.identity) == (b"7", "one")
    assert change(place, Identified(KEY, "one")) is place
    other = change(place, Identified(KEY, "two"))
    assert (other.cursor, other.lost_identity) == (b"", "one")
    assert change(change(place, Left(KEY)), Identified(KEY, "one")).whole is False


@pytest.mark.parametrize(
    ("cursor", "rest"),
    [
        ((1, 9), PART),
        ((2, 0), PART),
        ((2, 4), PART),
        ((2, 5), Part(6, b"\2\3", [b"six", b"seven"])),
        ((2, 7), None),
        ((2, 99), None),
        ((3, 0), None),
    ],
)
def test_what_of_a_part_came_after_a_cursor(cursor: tuple[int, int], rest: Part | None) -> None:
    assert from_cursor(2, PART, cursor) == rest


def test_an_account_without_a_place_is_never_complete() -> None:
    assert not is_complete(None, (1, 0))
    assert not is_complete(Place(KEY, 1), (1, 0))
    assert is_complete(Place(KEY, 1, floor=(1, 0)), (1, 0))
    assert not is_complete(Place(KEY, 1, floor=(1, 0), whole=False), (1, 0))

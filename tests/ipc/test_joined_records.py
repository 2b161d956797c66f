"""Which records are one with a count, and which make room."""

from __future__ import annotations

import pytest

from ipc.joined_records import JoinedRecords

Entry = tuple[str, int, int]  # kind, time of the last one, how many


def joined(older: Entry, newer: Entry) -> Entry | None:
    """Join what is less than ten apart."""
    return None if newer[1] - older[1] >= 10 else (newer[0], newer[1], older[2] + newer[2])


def kept(words: str, capacity: int = 4, per_kind: int = 1) -> str:
    """Return what is kept of records that are written as kind and time: ``a1``, or ``a1x3``."""
    records = JoinedRecords[Entry](capacity, joined, per_kind=per_kind)
    for word in words.split():
        records.add((word[0], int(word[1:]), 1), word[0], word[0].isupper())
    return " ".join(f"{kind}{at}" + (f"x{n}" if n > 1 else "") for kind, at, n in records)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("", "", id="none"),
        pytest.param("a1 b2", "a1 b2", id="two kinds"),
        pytest.param("a1 a2 a3", "a3x3", id="repetitions are one, where the last one stands"),
        pytest.param("a1 b2 a3 b4", "a3x2 b4x2", id="also those that take turns"),
        pytest.param("a1 a9 a18", "a18x3", id="however long it lasts"),
        pytest.param("a1 a11", "a1 a11", id="after a pause it is news"),
        pytest.param("a1 a11 a12", "a1 a12x2", id="and is repeated anew"),
        pytest.param("a1 b2 c3 d4 e5", "b2 c3 d4 e5", id="the oldest makes room"),
        pytest.param("a1 A2 B3 C4 D5", "a1 B3 C4 D5", id="the oldest of the largest group does"),
        pytest.param("a1 b2 A3 B4 C5", "a1 b2 B4 C5", id="and no other group is displaced"),
        pytest.param("a1 a11 a21 a31 a41", "a11 a21 a31 a41", id="of one kind, too"),
    ],
)
def test_what_is_kept(given: str, expected: str) -> None:
    assert kept(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a1 a2", "a1 a2"),
        ("a1 a2 a3", "a2x2 a3"),
        ("a1 b2 a3 b4 a5 b6", "a3x2 b4x2 a5 b6"),
        ("a1 b2 b3 b4 b5 a6", "a1 b4x3 b5 a6"),
        ("a1 a11 a12 a13", "a1 a12x2 a13"),
    ],
)
def test_the_newest_of_a_kind_may_be_kept_one_by_one(given: str, expected: str) -> None:
    assert kept(given, capacity=9, per_kind=2) == expected


def test_what_was_removed_is_counted_and_what_was_joined_is_not() -> None:
    records = JoinedRecords[Entry](2, joined)
    for number in range(5):
        assert records.add(("a", number, 1), "a") == ("a", number, number + 1)
    assert (len(records), records.dropped, records.newest) == (1, 0, ("a", 4, 5))
    for number in range(5):
        records.add(("b", number, 1), number)
    assert (len(records), records.dropped, records.newest) == (2, 4, ("b", 4, 1))
    assert JoinedRecords[Entry](2, joined).newest is None

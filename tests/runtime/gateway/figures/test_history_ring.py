"""Slots of figures: what is kept, for how long, in how much memory."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.figures.history_ring import (
    BYTES,
    NAMES,
    SPARE,
    HistoryRing,
    Sample,
    column_of,
    joined,
)

A, B = "irc:a", "irc:b"


def test_what_is_added_is_found_by_key_and_slot() -> None:
    ring = HistoryRing(10_000, 3)
    ring.add(7, {A: Sample(1, 2, 3, 4.5, 5, 6)})
    ring.add(9, {B: Sample(messages_in=8), A: Sample(messages_in=70_000)})
    assert ring.series("in", [A, B, "irc:c"], 7, 3) == [
        [1, None, 70_000],
        [None, None, 8],
        [None] * 3,
    ]
    assert ring.series("cpu", [A], 6, 4) == [[None, 4.5, None, None]]
    assert [ring.series(name, [A], 7, 1)[0][0] for name in NAMES] == [1, 2, 3, 4.5, 5, 6]
    ring.add(10, {})
    ring.add(11, {})
    assert [number for number, _ in ring.rows] == [9, 10, 11]
    assert ring.newest == 11


def test_counters_that_no_half_can_hold_stay_at_its_end() -> None:
    ring = HistoryRing(1, 1)
    ring.add(0, {A: Sample(errors=1e9, rss=60_000_000)})
    assert ring.series("errors", [A], 0, 1) == [[65504.0]]
    assert ring.series("rss", [A], 0, 1) == [[60_000_000]]


def test_slots_of_a_clock_that_was_ahead_are_forgotten() -> None:
    ring = HistoryRing(1, 9)
    for number in (5, 6, 7, 6):
        ring.add(number, {A: Sample(messages_in=number)})
    assert [number for number, _ in ring.rows] == [5, 6]


def test_a_place_is_given_away_late_and_never_with_the_past_of_another() -> None:
    ring = HistoryRing(1, 4)
    ring.add(0, {A: Sample(messages_in=1), B: Sample(messages_in=2)})
    ring.add(1, {B: Sample(messages_in=2)})
    ring.add(2, {B: Sample(messages_in=2), "irc:c": Sample(messages_in=3)})
    assert ring.places["irc:c"].at == 2  # that of a may still be wanted
    ring.add(5, {B: Sample(), "irc:d": Sample(messages_in=4)})
    assert A not in ring.places
    assert ring.places["irc:d"].at == 0
    assert ring.series("in", ["irc:d"], 0, 6) == [[None, None, None, None, None, 4]]


def test_one_that_was_gone_has_no_past_when_it_comes_back() -> None:
    ring = HistoryRing(1, 9)
    ring.add(0, {A: Sample(restarts=7), B: Sample(restarts=1)})
    ring.add(1, {B: Sample(restarts=1)})
    ring.add(2, {A: Sample(restarts=2), B: Sample(restarts=1)})
    assert ring.series("restarts", [A, B], 0, 3) == [[None, None, 2], [1, 1, 1]]


def test_rows_do_not_grow_with_all_accounts_that_there_ever_were() -> None:
    ring = HistoryRing(1, 1000)
    for number in range(500):
        row = ring.add(number, {f"irc:{number}": Sample()})
    assert len(row) // BYTES <= SPARE + 3


@pytest.mark.parametrize(
    ("values", "counted", "whole"),
    [
        ([1, 2, None], True, 3),
        ([1, 2, None], False, 1.5),
        ([None, None], True, None),
        ([], False, None),
    ],
)
def test_neighbours_are_joined(
    values: list[float | None], counted: bool, whole: float | None
) -> None:
    assert joined(values, counted=counted) == whole


def test_slots_are_joined_as_their_series_mean_it() -> None:
    ring = HistoryRing(1, 9)
    ring.add(0, {A: Sample(1, 0, 10, 2, 0, 1)})
    ring.add(1, {A: Sample(2, 0, 20, 4, 0, 0), B: Sample()})
    found = ring.joined([A, B], 0, 2)
    assert found[A] == Sample(3, 0, 15, 3, 0, 1)
    assert all(value != value for value in found[B])  # nothing is known


def is_back(slots: list[list[int]], account: int) -> bool:
    """Return whether an account is in the first slots, missing in others, and in later ones."""
    there = [account < len(each) for each in slots]
    return False in there and True in there[there.index(False) :]


@given(st.lists(st.lists(st.integers(0, 2000), min_size=1, max_size=5), min_size=1, max_size=20))
def test_a_ring_is_the_end_of_what_was_added(slots: list[list[int]]) -> None:
    ring = HistoryRing(1, 7)
    for number, values in enumerate(slots):
        samples = {f"irc:{n}": Sample(value, errors=value) for n, value in enumerate(values)}
        row = ring.add(number, samples)
        assert column_of(row, "in")[: len(values)] == tuple(values)
    first = max(0, len(slots) - 7)
    for name in ("in", "errors"):
        found = ring.series(name, [f"irc:{n}" for n in range(5)], first, len(slots) - first)
        for number, values in enumerate(slots[first:], first):
            # Of an account that was gone since then, and is back, nothing is left.
            expected = [
                values[n] if n < len(values) and not is_back(slots[number:], n) else None
                for n in range(5)
            ]
            assert [each[number - first] for each in found] == expected


def test_a_day_of_1000_accounts_takes_less_than_12_mib() -> None:
    some = random.Random(1)
    samples = {f"irc:{n}": Sample(*(some.random() for _ in NAMES)) for n in range(1000)}
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        fine, coarse = HistoryRing(10_000, 360), HistoryRing(300_000, 288)
        row = fine.add(0, samples)
        coarse.add(0, samples)
        for ring in (fine, coarse):  # rows as they are made, without the time that it takes
            ring.restore(
                ring.places, ((n, bytes(bytearray(row))) for n in range(1, ring.slots + 1))
            )
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(fine.rows) + len(coarse.rows) == 648
    assert used <= 12 * 1024 * 1024

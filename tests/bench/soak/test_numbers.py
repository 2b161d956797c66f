"""Every kind of message that must not come, or must not be missing, is noticed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bench.soak.numbers import Arrival, Ledger, Numbers

KEY = "source:a"


def numbers_of(*steps: Any) -> Numbers:
    """Take messages ``(incarnation, seq, number in the text[, mark])``; ``gap`` is an event."""
    numbers = Numbers()
    for step in steps:
        if step == "gap":
            numbers.gap(KEY)
            continue
        incarnation, seq, number, *mark = step
        text = (0, number) if number else None
        numbers.take(Arrival(KEY, "in", (incarnation, seq), bool(mark), text))
    return numbers


@pytest.mark.parametrize(
    ("steps", "kind", "count"),
    [
        ([(1, 1, 1), (1, 3, 3)], "untold", 1),
        ([(1, 1, 1), (1, 5, 5)], "untold", 3),
        ([(1, 1, 1), (2, 3, 4)], "untold", 2),  # a new incarnation begins with 1
        ([(1, 1, 1), (1, 1, 1)], "unmarked", 1),
        ([(1, 1, 1), (1, 2, 1)], "unmarked", 1),  # emitted twice
        ([(1, 2, 2), (1, 1, 1)], "unmarked", 1),  # it came before we listened
        ([(1, 1, 1), (1, 3, 3), (1, 2, 2)], "reordered", 1),
        ([(1, 1, 1), (1, 2, 3), (1, 3, 2)], "reordered", 1),  # in the text alone
        ([(2, 1, 2), (1, 1, 1)], "unmarked", 1),  # an earlier incarnation speaks again
    ],
)
def test_what_must_not_be_is_counted(steps: list[object], kind: str, count: int) -> None:
    numbers = numbers_of(*steps)
    assert numbers.counts[kind] == count
    assert len(numbers.wrong) >= 1


@pytest.mark.parametrize(
    "steps",
    [
        [(1, 7, 7), (1, 8, 8)],  # what came before we listened is no loss
        [(1, 1, 1), (2, 1, 5)],  # counted by the ledger
        [(1, 1, 1), "gap", (1, 9, 9)],
        [(1, 1, 1), "gap", (3, 4, 9)],
        [(1, 1, 1), (1, 2, 2), (1, 1, 1, "redelivered"), (1, 3, 3)],
        [(1, 1, 0), (1, 2, 0)],
    ],
)
def test_what_may_be_is_not_wrong(steps: list[object]) -> None:
    assert numbers_of(*steps).wrong == []


def test_a_gap_that_was_announced_covers_one_place_only() -> None:
    numbers = numbers_of((1, 1, 1), "gap", (1, 5, 5), (1, 8, 8))
    assert (numbers.counts["gaps"], numbers.counts["untold"]) == (1, 2)


Place = tuple[str, int]


@pytest.mark.parametrize(
    ("steps", "written", "lost", "killed", "found"),
    [
        ([(1, 1, 1), (1, 2, 2)], 2, {}, False, {}),
        ([(1, 1, 1), "gap", (1, 4, 4)], 4, {}, False, {"told by a gap": 2}),
        ([(1, 1, 1), (2, 1, 4)], 4, {(KEY, 1): 2}, False, {"told as possibly lost": 2}),
        ([(1, 1, 1), (2, 1, 4)], 4, {(KEY, 1): None}, False, {"told as possibly lost": 2}),
        ([(1, 1, 1), (2, 1, 4)], 4, {(KEY, 1): 1}, False, {"untold": 2}),
        ([(1, 1, 1), (2, 1, 4)], 4, {}, False, {"untold": 2}),
        (
            [(1, 1, 1), (2, 1, 4)],
            4,
            {(KEY, 1): 1},
            True,
            {"told as possibly lost": 1, "after the last beat": 1},
        ),
        ([(1, 1, 1)], 2, {}, False, {"untold": 1}),  # the last one never came
        ([(1, 1, 1), (1, 2, 3)], 3, {}, False, {"untold": 1}),  # its cursor was not missing
    ],
)
def test_what_was_written_and_never_came_must_have_been_told(
    steps: list[object],
    written: int,
    lost: Mapping[Place, int | None],
    killed: bool,
    found: dict[str, int],
) -> None:
    ledger = Ledger(lost, {(KEY, 1)} if killed else set())
    ledger.check(numbers_of(*steps), {(KEY, "in"): range(1, written + 1)})
    assert dict(+ledger.counts) == found
    assert bool(ledger.wrong) == ("untold" in found)

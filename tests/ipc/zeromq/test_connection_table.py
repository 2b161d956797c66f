"""Which connections must end, for every order in which they come and prove themselves."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.zeromq.connection_table import ConnectionTable

A, B = "irc:libera#1", "irc:oftc#1"


def table(most_unproven: int = 100, seconds: float = 5.0) -> ConnectionTable:
    return ConnectionTable(most_unproven, seconds)


def played(*steps: tuple[Any, ...]) -> ConnectionTable:
    """Play ``(opens, fd, pid)``, ``(proves, name, pid)`` and ``(ends, fd)``."""
    found = table()
    for what, *rest in steps:
        if what == "opens":
            found.on_opened(rest[0], rest[1], 0.0)
        elif what == "proves":
            found.earlier(rest[0], rest[1])
            found.on_proved(rest[0], rest[1])
        else:
            found.on_closed(rest[0])
    return found


CASES = {
    "the first": ([("opens", 5, 1)], (A, 1), []),
    "again": ([("opens", 5, 1), ("proves", A, 1), ("opens", 6, 1)], (A, 1), [5]),
    "again, the first is gone": (
        [("opens", 5, 1), ("proves", A, 1), ("opens", 6, 1), ("ends", 5)],
        (A, 1),
        [],
    ),
    "another account": ([("opens", 5, 1), ("proves", A, 1), ("opens", 6, 2)], (B, 2), []),
    "its child": ([("opens", 5, 1), ("proves", A, 1), ("opens", 6, 2)], (A, 2), [5]),
    "several before the first proof": (
        [("opens", 5, 1), ("opens", 6, 1), ("opens", 7, 1), ("proves", A, 1)],
        (A, 1),
        [5, 6],  # the last may be the one that asks
    ),
    "a process with two names": (
        [("opens", 5, 1), ("proves", A, 1), ("opens", 6, 1), ("proves", B, 1), ("opens", 7, 1)],
        (A, 1),
        [],
    ),
    "a number that is used again": (
        [("opens", 5, 1), ("proves", A, 1), ("opens", 5, 2), ("opens", 6, 3)],
        (A, 3),
        [],
    ),
    "a process whose number is used again": (
        [("opens", 5, 1), ("proves", B, 1), ("ends", 5), ("opens", 6, 1), ("proves", A, 1),
         ("opens", 7, 1)],
        (A, 1),
        [6],
    ),
    "a process that was never seen": ([], (A, 9), []),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "asks", "earlier"), CASES.values(), ids=CASES)
def test_what_must_end_before_a_worker_gets_in(
    steps: list[tuple[Any, ...]], asks: tuple[str, int], earlier: list[int]
) -> None:
    assert played(*steps).earlier(*asks) == earlier


def test_what_proves_nothing_ends_when_its_time_is_over() -> None:
    found = table(seconds=5.0)
    for number in range(4):
        found.on_opened(number, 1 + number, float(number))
    found.on_proved(A, 2)
    assert found.overdue(4.9) == []
    assert found.overdue(7.0) == [0, 2]
    assert found.overdue(7.5) == [], "it is told once"
    assert found.overdue(8.0) == [3]
    assert found.overdue(99.0) == []


def test_of_too_many_that_prove_nothing_the_oldest_end() -> None:
    found = table(most_unproven=10)
    for number in range(100):
        found.on_opened(number, 1, 0.0)
    assert found.overdue(0.0) == list(range(90))
    for number in range(90):
        found.on_closed(number)
    assert found.overdue(0.0) == []
    assert (len(found), found.unproven) == (10, 10)


def test_nothing_is_kept_of_what_is_gone() -> None:
    found = table()
    for number in range(1000):
        found.on_opened(7, 1 + number, 0.0)
        found.earlier(A, 1 + number)
        found.on_proved(A, 1 + number)
        assert found.on_closed(7) == 1 + number
    assert found.on_closed(7) is None
    # A leak shows nowhere else.
    assert not any((found._open, found._unproven, found._by_pid, found._names, found._proven))

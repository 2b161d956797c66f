"""What is special to the journal in memory, and the cuts that both journals make."""

from __future__ import annotations

import pytest

from runtime.gateway.journal.memory import MemoryJournal, from_cursor, is_complete
from runtime.gateway.journal.records import Part, Place
from tests.support.journals import KEY, arrived, everything, store

PART = Part(5, b"\1\2\3", [b"five", b"six", b"seven"])


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


async def test_a_journal_in_memory_stores_in_a_later_turn_and_at_its_end() -> None:
    journal = MemoryJournal()
    await store(journal, arrived(1, "a"))
    journal.append(arrived(2, "b"))
    await journal.close()
    assert await everything(journal) == ["1:1 a", "1:2 b"]
    assert journal.commits == 2

"""What all that waits may take together."""

from __future__ import annotations

import pytest

from runtime.gateway.outbox import capacity
from runtime.gateway.outbox.capacity import MAX_BYTES, OutboxCapacity


@pytest.mark.parametrize(
    ("rows", "size", "next", "refused"),
    [
        (1, 100, 100, False),
        (2, 100, 100, True),  # as many rows as there may be
        (1, MAX_BYTES - 100, 100, False),
        (1, MAX_BYTES - 100, 101, True),
    ],
)
def test_rows_and_bytes_are_bounded(
    monkeypatch: pytest.MonkeyPatch, rows: int, size: int, next: int, refused: bool
) -> None:
    monkeypatch.setattr(capacity, "MAX_ROWS", 2)
    made = OutboxCapacity()
    for _ in range(rows):
        made.add(size, held=False)
    assert (made.refusal(next) is not None) is refused
    assert made.refused == refused
    made.remove(size, held=False)
    assert made.refusal(next) is None


def test_what_leaves_takes_nothing() -> None:
    made = OutboxCapacity()
    made.add(capacity.HELD_BYTES, held=True)
    assert not made.is_crowded
    made.add(1, held=True)
    made.add(1, held=False)
    assert (made.is_crowded, made.is_full) == (True, False)
    for size, held in ((capacity.HELD_BYTES, True), (1, True), (1, False)):
        made.remove(size, held=held)
    assert (made.rows, made.size_bytes, made.held_bytes) == (0, 0, 0)

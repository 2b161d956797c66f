"""Times of waiting messages when the clock was set."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runtime.gateway.journal.outgoing import OutgoingRow, PastAttempt
from runtime.gateway.outbox.row_times import loaded, moved

HOUR = 3_600_000
ROW = OutgoingRow("k", "id", "ada", at=9 * HOUR, expires=12 * HOUR)
TRIED = [PastAttempt(at=10 * HOUR, ended=13 * HOUR)]


def test_a_row_keeps_what_it_has_left_to_wait() -> None:
    row = moved(replace(ROW, next=11 * HOUR, first_attempt=10 * HOUR), -HOUR)
    assert (row.next, row.first_attempt, row.expires) == (10 * HOUR, 9 * HOUR, 11 * HOUR)
    row = moved(ROW, HOUR)
    assert (row.at, row.next, row.first_attempt, row.expires) == (9 * HOUR, 0, 0, 13 * HOUR)


@pytest.mark.parametrize(
    ("row", "expires"),
    [
        (ROW, 12 * HOUR),
        (replace(ROW, at=11 * HOUR), 11 * HOUR),
        (replace(ROW, last_attempt=12 * HOUR), 10 * HOUR),
        (replace(ROW, past=TRIED), 9 * HOUR),
    ],
)
def test_a_row_of_the_future_shows_by_how_much_the_clock_was_set_back(
    row: OutgoingRow, expires: int
) -> None:
    assert loaded(row, 10 * HOUR).expires == expires

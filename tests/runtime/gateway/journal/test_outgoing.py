"""What a record changes of a row that is to be sent."""

from __future__ import annotations

import msgspec
import pytest

from runtime.gateway.journal.outgoing import (
    PAST,
    Attempt,
    Delivered,
    Discarded,
    GivenUp,
    OutgoingMessage,
    OutgoingRow,
    PartsRendered,
    PartsSent,
    Postponed,
    Released,
    RowRecord,
    changed_message,
    past_of,
    patch_of,
)
from workers.messages import Sent

KEY = "irc:libera"
SENT = [Sent("p1", "ada", 5)]
BEFORE = OutgoingMessage(OutgoingRow("k", "id", "ada", attempts=1, letter=True), b"{}", b'["a"]')


@pytest.mark.parametrize(
    ("record", "state", "keeps"),
    [
        (Attempt(KEY, "k", 2, 7, 90, 80), "attempting", True),
        (Postponed(KEY, "k", 500, "unavailable", "away"), "queued", True),
        (PartsRendered(KEY, "k", b'["b"]'), "queued", True),
        (PartsSent(KEY, "k", SENT), "queued", True),
        (Delivered(KEY, "k", SENT), "sent", False),
        (GivenUp(KEY, "k", "failed", "blocked", "gone"), "failed", True),
        (GivenUp(KEY, "k", "expired"), "expired", True),
        (GivenUp(KEY, "k", "unknown", letter=True), "unknown", True),
        (GivenUp(KEY, "k", "unknown"), "unknown", False),
        (Released(KEY, "k", 5, 9, "queue"), "queued", True),
        (Discarded(KEY, "k"), "queued", False),
    ],
)
def test_what_a_record_makes_of_a_row(record: RowRecord, state: str, keeps: bool) -> None:
    after = changed_message(BEFORE, record)
    assert (after.row.state, bool(after.message)) == (state, keeps)
    if isinstance(record, PartsRendered):
        assert after.texts == b'["b"]'
    stored = msgspec.to_builtins(BEFORE.row) | msgspec.to_builtins(patch_of(record))
    assert msgspec.convert(stored, OutgoingRow) == after.row


def test_a_row_remembers_its_last_attempts_and_when_it_was_over() -> None:
    outgoing = BEFORE
    for number in range(1, PAST + 3):
        outgoing = changed_message(outgoing, Attempt(KEY, "k", number, 7, 10 * number, 10))
        past = past_of(outgoing.row, 10 * number + 5, "busy")
        outgoing = changed_message(outgoing, Postponed(KEY, "k", 0, "busy", "", past))
    row = changed_message(outgoing, Delivered(KEY, "k", SENT, 999)).row
    assert [(each.at, each.ended) for each in row.past][:1] == [(30, 35)]
    assert len(row.past) == PAST
    assert (row.first_attempt, row.last_attempt, row.ended) == (10, 10 * (PAST + 2), 999)
    letter = changed_message(outgoing, GivenUp(KEY, "k", "expired", letter=True, at=7))
    assert letter.row.ended == 7
    assert changed_message(letter, Released(KEY, "k", 8, 9, "queue")).row.ended == 0

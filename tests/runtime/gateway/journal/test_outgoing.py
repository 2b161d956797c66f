"""What a record changes of a row that is to be sent."""

from __future__ import annotations

import msgspec
import pytest

from runtime.gateway.journal.outgoing import (
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
    changed,
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
    after = changed(BEFORE, record)
    assert (after.row.state, bool(after.message)) == (state, keeps)
    if isinstance(record, PartsRendered):
        assert after.texts == b'["b"]'
    stored = msgspec.to_builtins(BEFORE.row) | msgspec.to_builtins(patch_of(record))
    assert msgspec.convert(stored, OutgoingRow) == after.row

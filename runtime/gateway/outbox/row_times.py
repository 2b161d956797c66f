"""Moves the times of waiting messages when the host's clock was set. Pure.

They are epoch times, because they outlive the gateway. A message that waits a second for its next
attempt would wait an hour, and its chat with it, once the clock is set back by that.
"""

from __future__ import annotations

from msgspec.structs import replace

from runtime.gateway.journal.outgoing import OutgoingRow


def moved(row: OutgoingRow, ms: int) -> OutgoingRow:
    """Return a row for a clock that was set by so many milliseconds."""
    return replace(
        row,
        expires=row.expires + ms,
        next=row.next and row.next + ms,
        first_attempt=row.first_attempt and row.first_attempt + ms,
    )


def loaded(row: OutgoingRow, now: int) -> OutgoingRow:
    """Return a row that an earlier gateway has left; one of the future shows a clock set back."""
    ended = [each.ended for each in row.past]
    return moved(row, min(0, now - max(row.at, row.last_attempt, *ended, 0)))

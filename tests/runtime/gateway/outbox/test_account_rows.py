"""The open rows of one account, and when it is full."""

from __future__ import annotations

import pytest

from runtime.gateway.outbox import account_rows
from runtime.gateway.outbox.account_rows import AccountRows
from runtime.gateway.outbox.capacity import OutboxCapacity
from tests.support.journals import outgoing


async def test_rows_are_counted_while_they_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_rows, "MAX_ROWS", 3)
    monkeypatch.setattr(account_rows, "ANSWERED_ROWS", 2)
    capacity = OutboxCapacity(lambda: None)
    rows = AccountRows(capacity)
    for key in ("a", "b", "c"):
        assert not rows.is_full
        rows.add(outgoing(key), stored=True, under_way=False)
    assert (rows.is_full, rows.room.is_set(), capacity.rows, len(rows.lineup)) == (
        True,
        False,
        3,
        3,
    )
    for key in ("a", "b"):
        rows.remove(key)
    assert (rows.is_full, rows.room.is_set(), capacity.rows) == (False, True, 1)
    rows.clear()
    assert (list(rows.entries), capacity.rows, capacity.size_bytes) == ([], 0, 0)


async def test_content_that_was_left_to_the_journal_is_held_again() -> None:
    capacity = OutboxCapacity(lambda: None)
    rows = AccountRows(capacity)
    rows.add(outgoing("a"), stored=True, under_way=False)
    entry, held = rows.entries["a"], capacity.held_bytes
    rows.drop_content(entry)
    assert entry.held  # there is room
    capacity.held_bytes -= entry.size
    entry.drop()
    rows.restore_content(entry, outgoing("a"))
    assert (entry.held, capacity.held_bytes) == (True, held)
    rows.restore_content(entry, outgoing("a"))
    assert capacity.held_bytes == held

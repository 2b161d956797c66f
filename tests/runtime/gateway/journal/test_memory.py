"""What is special to the journal in memory."""

from __future__ import annotations

from runtime.gateway.journal.memory import MemoryJournal
from tests.support.journals import arrived, everything, store


async def test_a_journal_in_memory_stores_in_a_later_turn_and_at_its_end() -> None:
    journal = MemoryJournal()
    await store(journal, arrived(1, "a"))
    journal.append(arrived(2, "b"))
    await journal.close()
    assert await everything(journal) == ["1:1 a", "1:2 b"]
    assert journal.commits == 2

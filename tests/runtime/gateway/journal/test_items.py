"""Documents in a journal: stored with runs in one record, whichever journal keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from runtime.gateway.journal.items import ItemsChanged, KeptItem
from runtime.gateway.journal.runs import Recorded
from tests.support.conversations import asked
from tests.support.journals import KEY, KINDS, journal_of, store

both = pytest.mark.parametrize("kind", KINDS)


@both
async def test_documents_are_replaced_and_removed_by_kind_and_id(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        first = [KeptItem("a", each, each.encode()) for each in ("2", "1")]
        await store(journal, ItemsChanged(KEY, [*first, KeptItem("b", "1", b"other")]))
        assert await journal.items("a") == [first[1], first[0]]
        second = KeptItem("a", "2", b"two")
        await store(journal, ItemsChanged("agent:x", [second], [("a", "1"), ("a", "none")]))
        assert await journal.items("a") == [second]
        assert await journal.items("b") == [KeptItem("b", "1", b"other")]


@both
async def test_a_run_begins_with_its_document_and_only_once(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        run = asked("run-1")
        await store(journal, ItemsChanged(KEY, [KeptItem("a", "1", b"1")], runs=[run]))
        assert [each.id for each in await journal.open_runs(KEY)] == ["run-1"]
        other = replace(run, agent="other")
        (known,) = await store(journal, ItemsChanged(KEY, [KeptItem("a", "1", b"2")], runs=[other]))
        assert isinstance(known, Recorded)
        assert known.runs["run-1"].agent == run.agent
        assert [each.value for each in await journal.items("a")] == [b"2"]

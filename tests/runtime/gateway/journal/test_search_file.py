"""When the file of the search index is removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.gateway.journal.copies import copy, restore
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.repair import repair
from runtime.gateway.journal.retention import Retention
from runtime.gateway.journal.search_file import (
    UNUSED_SECONDS,
    index_of,
    remove_index,
    remove_unused_index,
)

NOW = 2_000_000_000.0


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return where a journal is that has an index, and files that only look like one."""
    path = tmp_path / "journal.db"
    Database(path).close()
    for name in ("journal-search.db", "journal-search.db-wal", "journal-search.db-shm", "mine"):
        (tmp_path / name).touch()
    return path


def beside(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir() if "search" in each.name}


def test_all_of_its_files_go_and_nothing_else(journal: Path) -> None:
    remove_index(journal)
    assert {each.name for each in journal.parent.iterdir()} == {"journal.db", "mine"}
    remove_index(journal)


@pytest.mark.parametrize(("age", "stays"), [(0.5, True), (1.5, False)])
def test_one_that_is_not_used_for_a_day_goes(journal: Path, age: float, stays: bool) -> None:
    used = NOW - age * UNUSED_SECONDS
    os.utime(index_of(journal), (used, used))
    database = Database(journal)
    Retention(clock=lambda: NOW).step(database)
    database.close()
    assert bool(beside(journal)) is stays
    remove_unused_index(journal, NOW + UNUSED_SECONDS)
    assert beside(journal) == set()
    remove_unused_index(journal, NOW)


def test_a_journal_that_is_another_one_now_has_none(journal: Path) -> None:
    copied = journal.with_name("copied.db")
    copy(journal, copied)
    restore(copied, journal)
    assert beside(journal) == set()
    index_of(journal).touch()
    repair(journal)
    assert beside(journal) == set()

"""What a read costs: it finds its rows by an index, however many others there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from runtime.gateway.journal import schema
from runtime.gateway.journal.conversations import is_of_chat
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.reader import JournalReader, read_run
from runtime.gateway.journal.runs import RunEnded, RunQueued
from tests.support.conversations import TALK, asked
from tests.support.journals import KEY

INDEXES = {
    "OPEN_RUNS": "run_open",
    "RUN_BY_ID": "run_id",
    "ENTRIES_AFTER": "entry_of_session",
    "ENTRIES_BEFORE": "entry_of_session",
    "SESSION_BY_KEY": "sqlite_autoindex_session_1",
    "SESSIONS": "session_updated",
    "OUTGOING_OF": "outgoing_open",
    "PACKS_AFTER": "pack_of_account",
}


@pytest.mark.parametrize(("name", "index"), INDEXES.items())
def test_a_read_finds_its_rows_by_an_index(name: str, index: str, tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    try:
        database.connection.create_function("is_of_chat", 1, is_of_chat)
        statement = getattr(schema, name)
        named = dict.fromkeys(re.findall(r":(\w+)", statement), 1)
        values: Any = named or (1,) * statement.count("?")
        plan = database.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        steps = [row[3] for row in plan]
        assert any(index in step for step in steps), steps
        table = name.split("_")[0]
        assert not [step for step in steps if step.startswith(f"SCAN {table.lower()}")]
    finally:
        database.close()


def test_no_statement_numbers_its_places() -> None:
    # Python 3.12 deprecates them for sequences of values, 3.14 refuses them
    texts = [text for text in vars(schema).values() if isinstance(text, str)]
    assert len(texts) > 20
    assert [text for text in texts if re.search(r"\?\d", text)] == []


def test_what_a_reader_sees_is_what_was_committed_last(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    reader = JournalReader(tmp_path / "journal.db")
    for number in range(3):
        database.store([RunQueued(KEY, asked(f"r{number}"))])
        assert len(reader.open_runs(KEY)) == number + 1
    database.store([RunEnded(KEY, "r1", TALK, "final", 1)])
    assert [each.id for each in reader.open_runs(KEY)] == ["r0", "r2"]
    reader.close()
    database.close()


def test_an_answer_that_was_cut_within_a_letter_is_read() -> None:
    run = read_run('{"id":"r","session":"s","agent":"a"}', b"", "h\N{SNOWMAN}".encode()[:-1])
    assert run.answer == "h"

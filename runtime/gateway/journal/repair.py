"""Salvages the readable part of a damaged journal.

The damaged file is set aside, and what is readable goes into a new one: each table is read from
its beginning and from its end, as far as that goes.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ipc.files import move_aside
from runtime.gateway.journal.copies import BESIDE
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.reader import connect
from runtime.gateway.journal.search_file import remove_index

# And the key of their rows.
TABLES = {
    "account": "n",
    "pack": "pos",
    "ids": "pos",
    "outgoing": "n",
    "person": "account",
    "run": "n",
    "session": "n",
    "entry": "n",
    "gone": "session",
    "item": "kind",
}


def repair(path: Path) -> str:
    """Replace a damaged journal by a new one; return one sentence about the outcome."""
    aside = move_aside(path, "damaged", BESIDE)
    remove_index(path)
    fresh = Database(path)
    counts = {}
    try:
        for table, key in TABLES.items():
            counts[table] = _carry_over(aside, fresh.connection, table, key)
        fresh.connection.execute(
            "INSERT OR IGNORE INTO seen SELECT account, value FROM ids, json_each(ids.ids)"
        )
    finally:
        fresh.close()
    return (
        f"the journal was damaged: {counts['account']} accounts with their positions, "
        f"{counts['pack']} packs of messages, {counts['ids']} of their ids, "
        f"{counts['outgoing']} sends, {counts['person']} people, {counts['run']} runs and "
        f"{counts['session']} sessions with {counts['entry']} entries and "
        f"{counts['item']} scheduled jobs and other documents were carried over; "
        f"what could not be read lies in {aside}"
    )


def _carry_over(source: Path, target: sqlite3.Connection, table: str, key: str) -> int:
    count = 0
    target.execute("BEGIN")
    with contextlib.closing(connect(source)) as damaged:
        for row in _readable(damaged, table, key):
            marks = ",".join("?" * len(row))
            insert = f"INSERT OR IGNORE INTO {table} VALUES({marks})"
            with contextlib.suppress(sqlite3.IntegrityError):  # a row that is none
                count += target.execute(insert, row).rowcount
    target.execute("COMMIT")
    return count


def _readable(damaged: sqlite3.Connection, table: str, key: str) -> Iterator[tuple[Any, ...]]:
    """Yield the readable rows of a table, from both ends."""
    for order in ("ASC", "DESC"):
        try:
            yield from damaged.execute(f"SELECT * FROM {table} ORDER BY {key} {order}")  # noqa: S608 - our own names
        except sqlite3.DatabaseError:
            continue
        return

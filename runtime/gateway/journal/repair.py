"""Salvages the readable part of a damaged journal.

What is readable goes into a new file, which then takes the place of the damaged one: each table is
read from its beginning and from its end, as far as that goes, without the rows that nothing could
read later. Where the file is of an earlier version, its rows become what a migration makes of them.
The damaged file is set aside.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ipc.frames.words import agent_key, is_agent
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.journal import schema
from runtime.gateway.journal.conversations import Session, TranscriptEntry
from runtime.gateway.journal.copies import free_bytes, synchronize
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.people import Person
from runtime.gateway.journal.reader import connect, read_run
from runtime.gateway.journal.records import Place, read_body
from runtime.gateway.journal.replacing import (
    REPAIRED,
    UNFINISHED,
    beside,
    remove_unfinished,
    replace_journal,
)
from runtime.gateway.journal.runs import Run

Row = tuple[Any, ...]


class _Column(NamedTuple):
    """A column of today's tables, and its value in rows that were written without it."""

    name: str
    default: object


class _Table(NamedTuple):
    """A table: the key of its rows, and a function that raises for a row that cannot be read."""

    key: str
    read: Callable[[Row], object] = id


def _read_pack(row: Row) -> None:
    flags, payloads = read_body(row[6])
    _require_same(row[4] - row[3] + 1, len(flags), len(payloads))


def _require_same(*values: object) -> None:
    """Raise ``DecodeError`` if a value differs from what stands elsewhere in its row."""
    if any(each != values[0] for each in values):
        raise msgspec.DecodeError


TABLES = {
    "account": _Table("n", lambda row: _require_same(row[1], decode_json(row[2], Place).key)),
    "pack": _Table("pos", _read_pack),
    "ids": _Table("pos", lambda row: _require_same(row[3], len(decode_json(row[4], list[str])))),
    "outgoing": _Table(
        "n", lambda row: _require_same(row[2], decode_json(row[6], OutgoingRow).key)
    ),
    "person": _Table(
        "account", lambda row: _require_same(row[1], decode_json(row[2], Person).sender)
    ),
    "run": _Table("n", lambda row: _require_same(row[2], read_run(*row[5:]).id)),
    "session": _Table("n", lambda row: _require_same(row[1], decode_json(row[4], Session).key)),
    "entry": _Table("n", lambda row: decode_json(row[6], TranscriptEntry)),
    "gone": _Table("session"),
    "item": _Table("kind", lambda row: decode_json(row[2])),
}
ANSWERS = _Table("n", lambda row: decode_json(row[4]))
OF_ACCOUNTS = ("pack", "ids", "outgoing", "person", "run")

# A number that no account has would be given to the next one, with all that stands under it.
UNKNOWN = " UNION ".join(
    f"SELECT account FROM {table} WHERE account NOT IN (SELECT n FROM account)"  # noqa: S608 - our own names
    for table in OF_ACCOUNTS
)
INSERT_ACCOUNT = "INSERT INTO account(n, key, place, cursor) VALUES(?, ?, ?, x'')"
NEWEST_PACK = """
SELECT incarnation, last, body FROM pack WHERE account = ?
ORDER BY incarnation DESC, last DESC LIMIT 1
"""


class Salvaged(NamedTuple):
    """One sentence about the outcome, and the accounts whose positions were lost."""

    text: str
    lost: set[str]


def repair(path: Path) -> Salvaged:
    """Replace a damaged journal by a new one that has what could be read of it.

    Until that is complete the damaged one stays where it is: a kill changes nothing. Raises
    ``OSError``, with ENOSPC for a disk without room, and ``sqlite3.Error`` if it cannot be written.
    """
    if free_bytes(path.parent) < path.stat().st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    repaired = beside(path, REPAIRED)
    unfinished = beside(repaired, UNFINISHED)
    remove_unfinished(repaired)
    fresh = Database(unfinished)
    try:
        counts = {
            table: _carry_over(path, fresh.connection, table, read)
            for table, read in TABLES.items()
        }
        counts["outgoing"] += _carry_over_answers(path, fresh.connection)
        lost = _restore_accounts(path, fresh.connection)
        fresh.connection.execute(
            "INSERT OR IGNORE INTO seen SELECT account, value FROM ids, json_each(ids.ids)"
        )
        fresh.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        fresh.close()
    synchronize(unfinished)
    unfinished.rename(repaired)
    aside = replace_journal(path, REPAIRED)
    text = (
        f"the journal was damaged: {counts['account']} accounts with their positions, "
        f"{counts['pack']} packs of messages, {counts['ids']} of their ids, "
        f"{counts['outgoing']} sends, {counts['person']} people, {counts['run']} runs and "
        f"{counts['session']} sessions with {counts['entry']} entries and "
        f"{counts['item']} scheduled jobs and other documents were carried over; "
        f"what could not be read lies in {aside}"
    )
    return Salvaged(text, lost)


def _carry_over(source: Path, target: sqlite3.Connection, name: str, table: _Table) -> int:
    columns = _columns_of(target, name)
    insert = f"INSERT OR IGNORE INTO {name} VALUES({','.join('?' * len(columns))})"
    count = 0
    target.execute("BEGIN")
    with contextlib.closing(_open(source)) as damaged:
        for row in _readable(damaged, name, table.key, columns):
            with contextlib.suppress(sqlite3.IntegrityError, TypeError, *MALFORMED):  # no such row
                table.read(row)
                count += target.execute(insert, row).rowcount
    target.execute("COMMIT")
    return count


def _carry_over_answers(source: Path, target: sqlite3.Connection) -> int:
    """Carry over what waits to be sent in a journal of version 1."""
    target.executescript(schema.ANSWER)
    count = _carry_over(source, target, "answer", ANSWERS)
    target.executescript(schema.ANSWERS_TO_OUTGOING)
    return count


def _columns_of(target: sqlite3.Connection, table: str) -> list[_Column]:
    """Return today's columns of a table. A migration that adds one has to give it a default."""
    found = []
    for _, name, _, _, default, _ in target.execute(f"PRAGMA table_info({table})").fetchall():
        (value,) = target.execute(f"SELECT {default or 'NULL'}").fetchone()
        found.append(_Column(name, value))
    return found


def _places_of(columns: list[_Column], names: list[str]) -> list[int | None]:
    """Return where each of today's columns stands among those of a file; ``None``: nowhere."""
    places: list[int | None] = [
        names.index(each.name) if each.name in names else None for each in columns
    ]
    if None in places and len(names) == len(columns):
        return list(range(len(columns)))  # as many: the name of one is damaged
    return places


def _open(source: Path) -> sqlite3.Connection:
    """Open a damaged file, in whose texts what is no letter is replaced."""
    damaged = connect(source)
    damaged.text_factory = lambda text: text.decode(errors="replace")
    return damaged


def _readable(
    damaged: sqlite3.Connection, table: str, key: str, columns: list[_Column]
) -> Iterator[Row]:
    """Yield the readable rows of a table, with today's columns, from both ends."""
    for order in ("ASC", "DESC"):
        query = f"SELECT * FROM {table} ORDER BY {key} {order}"  # noqa: S608 - our own names
        try:
            found = damaged.execute(query)
            places = _places_of(columns, [each[0] for each in found.description])
            for row in found:
                yield tuple(
                    each.default if at is None else row[at]
                    for each, at in zip(columns, places, strict=True)
                )
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # a column's name may be no text
            continue
        return


def _restore_accounts(source: Path, fresh: sqlite3.Connection) -> set[str]:
    """Restore accounts whose positions could not be read; return their keys.

    Their names stand beside the position, in their messages and in their runs. Rows of accounts
    without a name are dropped.
    """
    lost: set[str] = set()
    names = _names(source, _columns_of(fresh, "account"))
    fresh.execute("BEGIN")
    for (number,) in fresh.execute(UNKNOWN).fetchall():
        newest = fresh.execute(NEWEST_PACK, (number,)).fetchone()
        key = _named_by_rows(fresh, number, newest) or names.get(number)
        if key and not fresh.execute("SELECT 1 FROM account WHERE key = ?", (key,)).fetchone():
            lost.add(key)
            place = _place_after(key, number, newest, _known(fresh, number))
            text = msgspec.json.encode(place).decode()
            fresh.execute(INSERT_ACCOUNT, (number, key, text))
        else:
            for table in OF_ACCOUNTS:
                fresh.execute(f"DELETE FROM {table} WHERE account = ?", (number,))  # noqa: S608
    fresh.execute("UPDATE entry SET account = 0 WHERE account NOT IN (SELECT n FROM account)")
    fresh.execute("COMMIT")
    positioned = {key for (key,) in fresh.execute("SELECT key FROM account")}
    lost |= {key for key in names.values() if key not in positioned}
    return {key for key in lost if not is_agent(key)}


def _names(source: Path, columns: list[_Column]) -> Mapping[int, str]:
    """Return the keys of all accounts whose row can be read, whatever their position is."""
    with contextlib.closing(_open(source)) as damaged:
        rows = list(_readable(damaged, "account", TABLES["account"].key, columns))
    return {row[0]: row[1] for row in rows if isinstance(row[1], str) and "\ufffd" not in row[1]}


def _named_by_rows(fresh: sqlite3.Connection, number: int, newest: Row | None) -> str | None:
    """Return the key of an account or agent that its newest frames or a run of it name."""
    for payload in read_body(newest[2])[1] if newest else ():
        with contextlib.suppress(*MALFORMED, LookupError, TypeError):
            key = decode_json(payload)["account"] if payload else None
            if isinstance(key, str):
                return key
    found = fresh.execute("SELECT row FROM run WHERE account = ? LIMIT 1", (number,)).fetchone()
    if found is None:
        return None
    run = decode_json(found[0], Run)
    return run.origin.account or agent_key(run.agent)


def _place_after(key: str, number: int, newest: Row | None, known: int) -> Place:
    """Return the place of an account of which only messages are left, perhaps not the last ones."""
    at = (newest[0], newest[1]) if newest else None
    incarnation, seq = at or (0, 0)
    return Place(key, number, incarnation, seq, floor=at, whole=at is None, known=known)


def _known(fresh: sqlite3.Connection, number: int) -> int:
    query = "SELECT ifnull(sum(count), 0) FROM ids WHERE account = ?"
    return int(fresh.execute(query, (number,)).fetchone()[0])
